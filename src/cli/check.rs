//! `comptoir check`: tries a configuration against the ERP, step by step, and says what works, how fast, and what an offer
//! looks like; what each channel would do. For the integrator with a new preset, and for whoever is on call at night.

mod channels;

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::app::Config;
use crate::app::config::Probe;
use crate::clock::Clock;
use crate::domain::{CustomerFacts, CustomerId, PricedLine, Quantity, Sku, Stock, Unit};
use crate::erp::connector::{AskedLine, Call, Connector, Header, KnownFacts, Reply, Said};
use crate::erp::connectors::rest::RestConnector;
use crate::erp::matching;

#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Ask as this customer instead of `check.customer`; an empty one is the public.
    #[arg(long)]
    pub customer: Option<String>,
    /// Ask for this SKU instead of `check.sku`.
    #[arg(long)]
    pub sku: Option<String>,
    /// How many.
    #[arg(long, default_value = "1")]
    pub quantity: Quantity,
    /// In which unit. Default: the one the ERP sells in.
    #[arg(long)]
    pub unit: Option<String>,
}

/// Prints each step as it ends, and counts those that failed.
struct Steps {
    clock: Clock,
    failed: usize,
}

impl Steps {
    async fn run<T, E: Display>(&mut self, name: &str, step: impl Future<Output = Result<T, E>>) -> Option<T> {
        let start = self.clock.mono();
        let result = step.await;
        let took = self.clock.mono().since(start);
        match result {
            Ok(value) => {
                println!("ok    {name:<10} {took:>8.1?}");
                Some(value)
            }
            Err(error) => {
                println!("FAIL  {name:<10} {took:>8.1?}  {error:#}");
                self.failed += 1;
                None
            }
        }
    }

    fn note(&mut self, text: &str, good: bool) {
        println!("{}  {text}", if good { "     " } else { "FAIL " });
        self.failed += usize::from(!good);
    }
}

pub async fn run(args: CheckArgs) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    println!("ok    config     {}", args.config.display());
    println!("      erp        {}", config.erp.url);
    let probe = config.probe.clone();
    let today = config.calendar.day(Clock::system().read().wall);
    let connector = RestConnector::new(config.erp).context("erp")?;
    let mut steps = Steps { clock: Clock::system(), failed: 0 };
    for channel in &config.channels {
        let told = channels::describe(channel, config.stock.as_ref());
        let mut lines = told.lines.iter();
        println!("ok    channel    {}", lines.next().map_or("", String::as_str));
        lines.for_each(|line| steps.note(&format!("           {line}"), true));
        told.faults.iter().for_each(|fault| steps.note(&format!("channel    {}: {fault}", channel.name), false));
    }
    let question = Question::new(&args, &probe)?;
    let timeout = config.budget.timeout;
    if tokio::time::timeout(timeout * 6, probe_erp(&mut steps, &connector, question, today)).await.is_err() {
        bail!("the ERP did not answer all steps within {:?}", timeout * 6);
    }
    match steps.failed {
        0 => {
            println!("ok    everything this configuration needs answers");
            Ok(())
        }
        failed => bail!("{failed} of the steps failed"),
    }
}

struct Question {
    customer: Option<CustomerId>,
    line: Option<AskedLine>,
}

impl Question {
    fn new(args: &CheckArgs, probe: &Probe) -> anyhow::Result<Self> {
        let customer = args.customer.as_deref().or(probe.customer.as_deref()).filter(|id| !id.is_empty());
        let customer = customer.map(CustomerId::new).transpose().context("the customer's id")?;
        let unit = args.unit.as_deref().map(Unit::new).transpose().context("the unit")?;
        let line = match args.sku.as_deref().or(probe.sku.as_deref()) {
            Some(sku) => {
                Some(AskedLine { sku: Sku::new(sku).context("the SKU")?, unit, quantity: Some(args.quantity) })
            }
            None => None,
        };
        Ok(Self { customer, line })
    }
}

async fn probe_erp(steps: &mut Steps, connector: &RestConnector, question: Question, today: jiff::civil::Date) {
    if steps.run("login", connector.log_in()).await.is_none() {
        return;
    }
    for (name, result) in connector.read_lookups().await {
        match result {
            Ok(entries) => steps.note(&format!("lookup     {name}: {entries} entries"), entries > 0),
            Err(error) => steps.note(&format!("lookup     {name}: {error}"), false),
        }
    }
    let Some(facts) = facts(steps, connector, question.customer.as_ref()).await else { return };
    let Some(line) = question.line else {
        steps.note("no offer was asked for: name a SKU with --sku, or check.sku in the configuration", false);
        return;
    };
    let Some(currency) = facts.currency else {
        steps.note("the ERP told no currency for this customer, and without one no price can be asked", false);
        return;
    };
    let header = Arc::new(Header {
        customer: question.customer,
        for_list: None,
        company: None,
        ship_to: None,
        contract: None,
        currency,
        price_date: today,
        facts: KnownFacts::given(Arc::new(facts), steps.clock.read()),
    });
    let capabilities = connector.capabilities();
    let mut asked = line.clone();
    if capabilities.breaks {
        asked.quantity = None;
    }
    let lines = vec![asked];
    let absent = capabilities.absent_line;
    let call = if capabilities.offers {
        Call::Offers(header.clone(), lines.clone())
    } else {
        Call::Prices(header.clone(), lines.clone())
    };
    let name = call.operation().as_str();
    let Some(reply) = steps.run(name, connector.call(&call)).await else { return };
    let Reply { prices, mut stock, .. } = reply;
    let mut price = matching::match_prices(&lines, currency, prices, absent);
    show_price(steps, &line, price.lines.remove(0));
    if !capabilities.offers && capabilities.stock {
        let call = Call::Stock(header, vec![line.sku.clone()]);
        let Some(reply) = steps.run("stock", connector.call(&call)).await else { return };
        stock = reply.stock;
    }
    if capabilities.offers || capabilities.stock {
        let mut matched = matching::match_stock(std::slice::from_ref(&line.sku), stock, absent);
        show_stock(steps, matched.lines.remove(0));
    } else {
        steps.note("this preset asks for no stock", true);
    }
}

async fn facts(steps: &mut Steps, connector: &RestConnector, customer: Option<&CustomerId>) -> Option<CustomerFacts> {
    let capabilities = connector.capabilities();
    if let (true, Some(public)) = (customer.is_none() || !capabilities.resolves_customers, &capabilities.public) {
        return Some(CustomerFacts::clone(public));
    }
    let call = Call::Customers(vec![customer.cloned()]);
    let reply = steps.run("customer", connector.call(&call)).await?;
    let found = reply.customers.into_iter().find(|(id, _)| id.as_ref() == customer).and_then(|(_, facts)| facts);
    let who = customer.map_or("the public", CustomerId::as_str);
    match &found {
        Some(facts) => {
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "none told".into());
            let currency = or_none(facts.currency.map(|c| c.to_string()));
            let list = or_none(facts.price_list.as_ref().map(ToString::to_string));
            steps.note(
                &format!("           {who}: currency {currency}, price list {list}, blocked {}", facts.blocked),
                true,
            );
        }
        None => steps.note(&format!("{who} is not known to the ERP"), false),
    }
    found
}

fn show_price(steps: &mut Steps, line: &AskedLine, said: Said<PricedLine>) {
    let told = match said {
        Said::Told(told) => told,
        Said::Failed(why) => return steps.note(&format!("{}: {why}", line.sku), false),
        other => return steps.note(&format!("{}: {other:?}", line.sku), false),
    };
    let unit = told.base_unit.as_ref().map_or("base units".into(), ToString::to_string);
    let quantity = line.quantity.map(|quantity| quantity.to_string()).unwrap_or_default();
    steps.note(
        &format!(
            "           {} × {quantity}: {} {} per {} {unit}",
            line.sku, told.net_price, told.currency, told.base_quantity
        ),
        true,
    );
    if let Some(list) = told.list_price {
        steps.note(&format!("           list price {list}"), true);
    }
    for step in &told.breaks {
        steps.note(&format!("           from {} {unit}: {}", step.min_quantity, step.net_price), true);
    }
    for (name, factor) in &told.units {
        steps.note(&format!("           1 {name} = {factor} {unit}"), true);
    }
}

fn show_stock(steps: &mut Steps, said: Said<Stock>) {
    match said {
        Said::Told(Stock::Untracked) => steps.note("           not held in stock", true),
        Said::Told(Stock::Levels { locations, incoming, .. }) => {
            for level in locations {
                steps.note(&format!("           {}: {} available", level.location, level.available), true);
            }
            for coming in incoming {
                let day = coming.expected_on.map(|day| day.to_string()).unwrap_or_else(|| "no date".into());
                steps.note(&format!("           {}: {} expected ({day})", coming.location, coming.quantity), true);
            }
        }
        Said::Failed(why) => steps.note(&format!("stock: {why}"), false),
        other => steps.note(&format!("stock: {other:?}"), false),
    }
}
