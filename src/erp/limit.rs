//! How many calls at a time the ERP bears just now, at most what is configured. Pure.
//!
//! A call of a hundred lines takes longer than one of a single line and says nothing bad by it; so latency is judged against
//! what a call of its size takes when it is alone: `a + b·n`, learned per operation from calls that were alone in the air.
//! When half of the last calls took more than twice that, there is one fewer at a time; after some good ones, one more.
//! (More than one where the ceiling is large.) Only calls that reached the ERP and were answered or ran into their hard
//! limit count: what was refused, joined, held in memory or failed at once says nothing about how loaded it is.

use std::time::Duration;

use crate::clock::Mono;
use crate::mutants::mutant;

/// Calls over which the median is taken.
const WINDOW: usize = 9;
/// Good calls after which it is one more.
const GOOD_CALLS: u32 = 10;
/// A ceiling up to this moves by single steps.
const SMALL: usize = 8;
/// The weight of a new sample in what is learned, as one part in so many.
const GAIN: u64 = 4;
/// Samples before a wild one is cut to size.
const SETTLED: u32 = 4;
/// Operations told apart.
pub const OPERATIONS: usize = 3;

/// A call that is over.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub lines: usize,
    pub start: Mono,
    pub end: Mono,
    /// No other call was in the air meanwhile.
    pub alone: bool,
    /// It was refused at once, by us or by the ERP: not a measurement.
    pub refused: bool,
}

/// What calls of one operation take when alone: a line through two points, the usual small call and the usual large one.
#[derive(Clone, Copy, Debug, Default)]
struct Baseline {
    small: Anchor,
    large: Anchor,
    /// From calls that were alone. Until there is one, any call teaches.
    alone: bool,
    smallest: u64,
    largest: u64,
}

/// The mean of calls of about one size.
#[derive(Clone, Copy, Debug, Default)]
struct Anchor {
    /// Lines, times 1,024.
    lines: u64,
    micros: u64,
    samples: u32,
}

impl Anchor {
    fn learn(&mut self, lines: u64, micros: u64) {
        if self.samples == 0 {
            *self = Anchor { lines, micros, samples: 1 };
            return;
        }
        self.lines = (self.lines * (GAIN - 1) + lines) / GAIN;
        self.micros = (self.micros * (GAIN - 1) + micros) / GAIN;
        self.samples = self.samples.saturating_add(1);
    }
}

impl Baseline {
    /// What a call of so many lines takes. Microseconds; zero: not known.
    fn expected(&self, lines: u64) -> u64 {
        let (small, large) = (self.small, self.large);
        if large.samples == 0 || small.samples == 0 {
            return small.micros.max(large.micros);
        }
        let run = large.lines.saturating_sub(small.lines);
        let rise = large.micros.saturating_sub(small.micros);
        if run < 1024 {
            return small.micros;
        }
        // Below the small point the line is followed down, but never to nothing: a call costs something without lines.
        let scaled = lines * 1024;
        if scaled >= small.lines {
            small.micros + rise * (scaled - small.lines) / run
        } else {
            small.micros.saturating_sub(rise * (small.lines - scaled) / run).max(small.micros / 4)
        }
    }

    /// Whether a call of so many lines is of a size it has seen.
    fn knows(&self, lines: u64) -> bool {
        self.smallest > 0 && lines * 4 >= self.smallest * 3 && lines * 4 <= self.largest * 5
    }

    fn learn(&mut self, lines: u64, micros: u64, alone: bool) {
        if alone && !self.alone {
            // What was learned under load was better than nothing.
            *self = Baseline { alone: true, ..Baseline::default() };
        }
        let expected = self.expected(lines);
        let settled = self.small.samples + self.large.samples >= SETTLED && self.knows(lines);
        // One lucky or unlucky call moves it a little; many in a row move it all the way.
        let micros = if settled { micros.clamp(expected / 2, expected * 2) } else { micros };
        self.smallest = if self.smallest == 0 { lines } else { self.smallest.min(lines) };
        self.largest = self.largest.max(lines);
        let middle = (self.smallest + self.largest) / 2;
        if lines > middle {
            self.large.learn(lines * 1024, micros);
        } else {
            self.small.learn(lines * 1024, micros);
        }
    }
}

#[derive(Debug)]
pub struct Limit {
    ceiling: usize,
    current: usize,
    baselines: [Baseline; OPERATIONS],
    /// The last calls' latencies in thousandths of what was expected; at most [`WINDOW`].
    recent: Vec<u64>,
    good: u32,
    /// Calls that left before the last change say nothing about it.
    changed: Mono,
}

impl Limit {
    pub fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        Self {
            ceiling,
            current: ceiling,
            baselines: [Baseline::default(); OPERATIONS],
            recent: Vec::with_capacity(WINDOW),
            good: 0,
            changed: Mono::default(),
        }
    }

    /// Calls at a time. At least 1.
    pub fn current(&self) -> usize {
        self.current
    }

    /// What a call takes when it is alone; zero while that is not known.
    pub fn expected(&self, operation: usize, lines: usize) -> Duration {
        Duration::from_micros(self.baselines[operation].expected(lines as u64))
    }

    /// A call is over.
    pub fn observe(&mut self, operation: usize, sample: Sample) {
        if sample.refused && !mutant!(LimitFedByRefusals) {
            return;
        }
        let lines = sample.lines.max(1) as u64;
        let micros = (sample.end.since(sample.start).as_micros() as u64).max(1);
        let baseline = &mut self.baselines[operation];
        let known = baseline.knows(lines);
        let expected = if mutant!(LimitOnRawLatency) { baseline.small.micros } else { baseline.expected(lines) };
        // A size never seen teaches whatever the load: what is learned too high only errs on the lenient side.
        if sample.alone || !known || !baseline.alone || mutant!(BaselineUnderLoad) {
            baseline.learn(lines, micros, sample.alone);
        }
        if !known || expected == 0 || sample.start < self.changed {
            return;
        }
        self.judge(micros * 1000 / expected, sample.end);
    }

    fn judge(&mut self, ratio: u64, now: Mono) {
        if self.recent.len() == WINDOW {
            self.recent.remove(0);
        }
        self.recent.push(ratio);
        if self.recent.len() == WINDOW {
            let mut sorted = self.recent.clone();
            sorted.sort_unstable();
            if sorted[WINDOW / 2] > 2000 {
                let step = if self.ceiling <= SMALL { 1 } else { (self.current / 8).max(1) };
                self.change(self.current.saturating_sub(step).max(1), now);
                return;
            }
        }
        self.good = if ratio <= 2000 { self.good + 1 } else { 0 };
        if self.good >= GOOD_CALLS {
            let step = if self.ceiling <= SMALL { 1 } else { (self.ceiling / 16).max(1) };
            self.change((self.current + step).min(self.ceiling), now);
        }
    }

    fn change(&mut self, to: usize, now: Mono) {
        self.good = 0;
        if to != self.current {
            self.current = to;
            self.changed = now;
            self.recent.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ERP that serves `slots` calls at a time at 45 ms + 3.2 ms a line, `slow` times that; the rest waits its turn.
    struct Erp {
        limit: Limit,
        now: u64,
        slots: u64,
        slow: u64,
    }

    impl Erp {
        fn new(ceiling: usize, slots: u64) -> Self {
            let mut erp = Self { limit: Limit::new(ceiling), now: 0, slots, slow: 1 };
            for lines in [1, 48, 100, 10, 80] {
                erp.alone(lines);
            }
            erp
        }

        fn cost(&self, lines: u64) -> u64 {
            (45_000 + 3_200 * lines) * self.slow
        }

        fn observe(&mut self, lines: u64, micros: u64, alone: bool, refused: bool) {
            let sample =
                Sample { lines: lines as usize, start: Mono(self.now), end: Mono(self.now + micros), alone, refused };
            self.limit.observe(1, sample);
        }

        fn alone(&mut self, lines: u64) {
            let cost = self.cost(lines);
            self.observe(lines, cost, true, false);
            self.now += cost;
        }

        /// As many calls at once as the limit allows, until `micros` have passed; the most and the fewest allowed.
        fn saturate(&mut self, micros: u64) -> (usize, usize) {
            let until = self.now + micros;
            let (mut most, mut fewest) = (0, usize::MAX);
            let mut size = 0;
            while self.now < until {
                let at_once = self.limit.current() as u64;
                most = most.max(at_once as usize);
                fewest = fewest.min(at_once as usize);
                size = (size + 37) % 100;
                let lines = size + 1;
                let rounds = at_once.div_ceil(self.slots);
                let took = self.cost(lines) * rounds;
                for _ in 0..at_once {
                    self.observe(lines, took, at_once == 1, false);
                }
                self.now += took + 1;
            }
            (most, fewest)
        }
    }

    const SECOND: u64 = 1_000_000;

    #[test]
    fn large_batches_are_not_congestion() {
        let mut erp = Erp::new(4, 4);
        assert_eq!(erp.saturate(60 * SECOND), (4, 4));
    }

    #[test]
    fn an_erp_that_serves_fewer_than_configured_is_found_out() {
        let mut erp = Erp::new(8, 2);
        erp.saturate(60 * SECOND);
        let (most, fewest) = erp.saturate(60 * SECOND);
        assert!(most <= 5 && fewest >= 2, "{fewest} to {most}, two are served at a time");
    }

    #[test]
    fn after_a_slow_phase_it_is_back_within_a_minute() {
        let mut erp = Erp::new(8, 8);
        erp.slow = 10;
        let (_, fewest) = erp.saturate(60 * SECOND);
        assert!(fewest < 8, "{fewest}");
        erp.slow = 1;
        erp.saturate(60 * SECOND);
        assert_eq!(erp.limit.current(), 8);
    }

    #[test]
    fn the_floor_is_one_and_a_dead_slow_erp_is_recovered_from() {
        let mut erp = Erp::new(2, 2);
        erp.slow = 200;
        erp.saturate(600 * SECOND);
        assert!(erp.limit.current() >= 1);
        erp.slow = 1;
        erp.saturate(60 * SECOND);
        assert_eq!(erp.limit.current(), 2);
    }

    #[test]
    fn one_lucky_call_does_not_make_all_others_look_slow() {
        let mut erp = Erp::new(4, 4);
        erp.observe(48, 1_000, true, false);
        assert_eq!(erp.saturate(60 * SECOND), (4, 4));
    }

    #[test]
    fn load_does_not_become_the_measure_of_load() {
        // Forty minutes of load: what was learned alone stays the measure, however long it lasts.
        let mut erp = Erp::new(8, 1);
        let before = erp.limit.expected(1, 50);
        for _ in 0..40 {
            for _ in 0..100 {
                let took = erp.cost(50) * 4;
                erp.observe(50, took, false, false);
                erp.now += took;
            }
        }
        assert_eq!(erp.limit.expected(1, 50), before);
        assert_eq!(erp.limit.current(), 1);
    }

    #[test]
    fn what_was_refused_does_not_count() {
        let mut erp = Erp::new(8, 2);
        erp.limit.current = 2;
        let before = erp.limit.expected(1, 10);
        for _ in 0..1000 {
            erp.observe(10, 10, true, true);
            erp.now += 10;
        }
        assert_eq!((erp.limit.current(), erp.limit.expected(1, 10)), (2, before));
    }

    #[test]
    fn a_large_ceiling_moves_in_proportion() {
        let mut erp = Erp::new(64, 8);
        let start = erp.now;
        while erp.limit.current() > 24 && erp.now - start < 120 * SECOND {
            erp.saturate(SECOND);
        }
        assert!(erp.now - start < 120 * SECOND, "{}", erp.now - start);
    }

    #[test]
    fn what_a_call_takes_follows_its_size() {
        let mut erp = Erp::new(4, 4);
        for lines in [1, 48, 100, 10, 80, 2, 99, 1, 100] {
            erp.alone(lines);
        }
        for (lines, truth) in [(1, 48_200), (48, 198_600), (100, 365_000)] {
            let expected = erp.limit.expected(1, lines).as_micros() as u64;
            assert!(expected * 4 > truth * 3 && expected * 4 < truth * 5, "{lines}: {expected}, not {truth}");
        }
    }
}
