//! How it goes: one line that is written over, on a terminal; and what was not taken, line by line.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use crate::clock::{Clock, Mono};

const SHOWN_EVERY: Duration = Duration::from_millis(100);
const BAR_CELLS: u64 = 30;
/// Lines that are named; the others are counted.
const NAMED_MAX: u64 = 50;

pub struct Progress {
    clock: Clock,
    terminal: bool,
    shown: Option<Mono>,
    named: u64,
}

impl Progress {
    pub fn new() -> Self {
        Self { clock: Clock::system(), terminal: std::io::stderr().is_terminal(), shown: None, named: 0 }
    }

    /// Shows so much of all of it, now and then.
    pub fn show(&mut self, done: u64, all: u64, text: &str) {
        let now = self.clock.mono();
        let is_due = self.shown.is_none_or(|shown| now.since(shown) >= SHOWN_EVERY) || done >= all;
        if self.terminal && is_due {
            self.shown = Some(now);
            // A terminal that is gone ends the line, not the push.
            let _ = write!(std::io::stderr(), "\r{} {text}\x1b[K", bar(done, all));
        }
    }

    /// Something that is not taken.
    pub fn name(&mut self, what: impl std::fmt::Display) {
        self.named += 1;
        if self.named <= NAMED_MAX {
            self.say(what);
        }
    }

    /// How many were not named.
    pub fn unnamed(&self) -> u64 {
        self.named.saturating_sub(NAMED_MAX)
    }

    pub fn say(&mut self, what: impl std::fmt::Display) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        let _ = writeln!(std::io::stderr(), "{clear}{what}");
        self.shown = None;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // What follows has the line for itself.
        if self.terminal && self.shown.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn bar(done: u64, all: u64) -> String {
    let share = |of: u64| (done.min(all) * of).checked_div(all).unwrap_or(of);
    let full = share(BAR_CELLS) as usize;
    format!("[{}{}] {:>3}%", "#".repeat(full), " ".repeat(BAR_CELLS as usize - full), share(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars() {
        assert_eq!(bar(0, 10), format!("[{}]   0%", " ".repeat(30)));
        assert_eq!(bar(5, 10), format!("[{}{}]  50%", "#".repeat(15), " ".repeat(15)));
        assert_eq!([bar(10, 10), bar(11, 10), bar(0, 0)], [(); 3].map(|()| format!("[{}] 100%", "#".repeat(30))));
    }
}
