//! What happened in a run, as numbers folded into one and, on request, as text.

use std::fmt::Write as _;

#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub folded: u64,
    /// Absent: only folded.
    pub lines: Option<Vec<String>>,
}

impl Trace {
    pub fn recording(record: bool) -> Self {
        Self { folded: 0xcbf2_9ce4_8422_2325, lines: record.then(Vec::new) }
    }

    pub fn note(&mut self, at: u64, what: &'static str, numbers: &[u64]) {
        for byte in what.bytes() {
            self.fold(u64::from(byte));
        }
        self.fold(at);
        numbers.iter().for_each(|number| self.fold(*number));
        if let Some(lines) = &mut self.lines {
            let mut line = format!("{:>6}.{:06} {what}", at / 1_000_000, at % 1_000_000);
            numbers.iter().for_each(|number| write!(line, " {number}").expect("a string takes all"));
            lines.push(line);
        }
    }

    fn fold(&mut self, number: u64) {
        self.folded = (self.folded ^ number).wrapping_mul(0x0000_0100_0000_01b3);
    }
}
