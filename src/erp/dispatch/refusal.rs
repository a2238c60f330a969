//! Why somebody who waits is told at once that this will not come.

/// A reason not to wait. The key may still be fetched: it goes on in the background of its lane unless there is no room, or
/// the ERP trips over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// More lines wait already than may.
    QueueFull,
    /// It cannot be answered before the caller's time is up.
    TooLate,
    /// The ERP is in a maintenance window, or about to be.
    Maintenance,
    /// Calls of this operation fail one after another; they are tried again in a while.
    BreakerOpen,
    /// The ERP fails whenever it is asked for this.
    Denied,
}

impl Refusal {
    pub const ALL: [Refusal; 5] =
        [Refusal::QueueFull, Refusal::TooLate, Refusal::Maintenance, Refusal::BreakerOpen, Refusal::Denied];

    /// The stable word for answers.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::QueueFull => "erp_busy",
            Refusal::TooLate => "refused_early",
            Refusal::Maintenance => "erp_maintenance",
            Refusal::BreakerOpen => "erp_breaker_open",
            Refusal::Denied => "erp_error",
        }
    }

    /// The stable word for metrics: unlike [`Refusal::reason`], never the same for two causes.
    pub fn cause(self) -> &'static str {
        match self {
            Refusal::QueueFull => "queue_full",
            Refusal::TooLate => "too_late",
            Refusal::Maintenance => "maintenance",
            Refusal::BreakerOpen => "breaker_open",
            Refusal::Denied => "denied",
        }
    }
}
