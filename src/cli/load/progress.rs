//! One line that tells how it goes: written over on a terminal, every few seconds where it ends up in a log.

use std::cell::RefCell;
use std::io::{IsTerminal as _, Write as _};
use std::rc::Rc;
use std::time::Duration;

use super::erp::Erp;
use super::report::{grouped, millis, percent};
use super::tally::Tally;
use crate::clock::{Clock, Mono};

const ON_A_TERMINAL: Duration = Duration::from_millis(500);
const IN_A_LOG: Duration = Duration::from_secs(5);

pub struct Progress {
    duration: Duration,
    tally: Rc<RefCell<Tally>>,
    erp: Option<Rc<Erp>>,
    clock: Clock,
    start: Mono,
    terminal: bool,
}

impl Progress {
    pub fn new(duration: Duration, tally: Rc<RefCell<Tally>>, erp: Option<Rc<Erp>>, clock: Clock, start: Mono) -> Self {
        Self { duration, tally, erp, clock, start, terminal: std::io::stderr().is_terminal() }
    }

    /// Writes to standard error, which leaves standard output to the report. Runs until it is dropped.
    pub async fn run(self) {
        let every = if self.terminal { ON_A_TERMINAL } else { IN_A_LOG };
        let _end = EndOfLine(self.terminal);
        loop {
            tokio::time::sleep(every).await;
            // A simulated ERP that is gone is seen at the end; meanwhile its part of the line is left out.
            let calls = match &self.erp {
                Some(erp) => erp.counters().await.ok().map(|counters| counters.calls),
                None => None,
            };
            let line = line(&self.tally.borrow(), self.clock.mono().since(self.start), self.duration, calls);
            // A terminal that is gone ends the line, not the load.
            let mut out = std::io::stderr();
            let _ = if self.terminal { write!(out, "\r{line}\x1b[K") } else { writeln!(out, "{line}") };
            let _ = out.flush();
        }
    }
}

/// What follows the line begins on the next one.
struct EndOfLine(bool);

impl Drop for EndOfLine {
    fn drop(&mut self) {
        if self.0 {
            eprintln!();
        }
    }
}

fn line(tally: &Tally, elapsed: Duration, duration: Duration, calls: Option<u64>) -> String {
    let ended = tally.pages_answered + tally.pages_failed();
    let mut line = format!(
        "{} s of {}: {} pages, {} under way, {} failed; p50 {} ms, p99 {} ms; {} of lines within 1 s",
        elapsed.as_secs(),
        duration.as_secs(),
        grouped(tally.pages_sent),
        tally.pages_sent.saturating_sub(ended),
        tally.pages_failed(),
        millis(tally.latencies.at_permille(500)),
        millis(tally.latencies.at_permille(990)),
        percent(tally.lines_in_time, tally.lines_asked()),
    );
    if let Some(calls) = calls {
        line.push_str(&format!("; {} ERP calls", grouped(calls)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Purpose;

    #[test]
    fn the_line_tells_what_matters() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.sent(Purpose::List, 30, Duration::ZERO);
        }
        tally.answered(Purpose::List, Duration::from_micros(1_500), 1);
        tally.lines_in_time = 60;
        assert_eq!(
            line(&tally, Duration::from_millis(12_900), Duration::from_secs(60), Some(1_234)),
            "12 s of 60: 3 pages, 2 under way, 0 failed; p50 1.50 ms, p99 1.50 ms; 66.7 % of lines within 1 s; \
             1,234 ERP calls"
        );
    }
}
