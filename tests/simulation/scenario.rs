//! What happens from outside in one run: plain values, so that a run can be made shorter and printed.

use std::time::Duration;

use comptoir::erp::dispatch::Lane;

/// Everything a run depends on besides the code under test.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub setup: Setup,
    /// In the order of their time.
    pub steps: Vec<Step>,
}

/// The gateway's configuration and the nature of the ERP.
#[derive(Clone, Debug)]
pub struct Setup {
    pub concurrency: usize,
    pub calls_per_minute: Option<usize>,
    pub burst: Option<usize>,
    pub timeout: Duration,
    pub queue_lines_max: usize,
    pub unclean_start: bool,
    /// Milliseconds from the start to the start and the end of the maintenance window, on the wall clock as it starts.
    pub maintenance: Option<(u64, u64)>,
    pub max_items: usize,
    /// One call brings prices and stock.
    pub offers: bool,
    /// Quantities are part of the question, and all lines of a call have the same.
    pub quantities: bool,
    /// Calls the ERP works on at a time.
    pub slots: usize,
    /// What a call and a line of it cost. Microseconds.
    pub call_cost: u64,
    pub line_cost: u64,
    /// The longest a call or an answer is on its way. Microseconds.
    pub way: u64,
    /// Figures told to end soon, of a thousand.
    pub ends_soon: u64,
    /// Calls that ask for this SKU fail for good once everything else is over.
    pub poisoned_end: Option<u8>,
    pub customers: u8,
    pub skus: u8,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Milliseconds after the start.
    pub at: u64,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Page(PageStep),
    /// The ERP's figures change; the gateway is told nothing by this.
    Change(Change),
    Invalidate(Words, When),
    Fault(Fault),
    /// The wall clock is set. Milliseconds forward or back.
    ClockStep(i64),
}

/// Somebody asks for a page.
#[derive(Clone, Debug)]
pub struct PageStep {
    pub lane: Lane,
    /// 0 is the public.
    pub customer: u8,
    /// Among the public.
    pub visitor: Option<u8>,
    pub lines: Vec<LineStep>,
    /// Facts about the customer are asked for instead of lines.
    pub facts: bool,
    /// Milliseconds.
    pub max_age: Option<u64>,
    pub patience: u64,
    /// Hangs up after so many milliseconds.
    pub leaves: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub struct LineStep {
    pub sku: u8,
    pub quantity: u8,
    pub price: bool,
    pub stock: bool,
}

/// Which of the ERP's figures become others.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    Sku(u8),
    Customer(u8),
    All,
}

/// What an invalidation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    All,
    Customer(u8),
    List(u8),
    Sku(u8),
    CustomerSku(u8, u8),
    ListSku(u8, u8),
    Contract(u8),
    ContractSku(u8, u8),
    Company(u8),
}

/// When an invalidation takes effect. Milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct When {
    /// Announced for so much later, by the wall clock.
    pub ahead: Option<u64>,
    /// What is fetched within it is to be asked again at its end.
    pub settle: Option<u64>,
}

/// Something is wrong with the ERP for a while.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub kind: FaultKind,
    /// Only calls of this kind; all if absent.
    pub only: Option<Kind>,
    /// Of a thousand calls, how many it concerns.
    pub permille: u64,
    /// Milliseconds.
    pub lasts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Everything takes so many times as long.
    Slow(u64),
    /// Calls are taken and never answered.
    Hang,
    /// Answers that the call failed.
    Refuses,
    /// Says at once that it has too much to do.
    Busy,
    /// Nothing listens; calls under way are cut off.
    Down,
    /// The answer cannot be read.
    Unreadable,
    Rows(Rows),
    /// Calls that ask for this SKU fail as a whole.
    Poison(u8),
}

/// What is wrong with the rows of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    Reordered,
    Duplicated,
    /// Some are left out.
    Partial,
    /// Some are there twice and differ.
    Contradictory,
    /// Rows nobody asked for among them.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Customers,
    Prices,
    Stock,
}

/// The framework agreement a customer's pages name.
pub fn contract_of(customer: u8) -> Option<u8> {
    (customer % 3 == 1).then_some(0)
}

/// The company a customer's pages name; the others are answered for the default one.
pub fn company_of(customer: u8) -> Option<u8> {
    (customer > 0 && !customer.is_multiple_of(3)).then_some(customer % 2)
}

/// The list of a customer's prices; the public has none.
pub fn list_of(customer: u8) -> Option<u8> {
    (customer > 0).then_some(customer % 2)
}
