//! What becomes of the keys of a call that failed: the one place where anything is asked twice.
//!
//! A call that never reached a working ERP is repeated once, a little later, as long as repetitions stay within a tenth of the
//! calls. One that timed out never is: it may still run. A call the ERP answered with an error may have tripped over one bad
//! line, so its halves are asked, and theirs, until the line is found: one call at a time per operation, inside the budget like
//! any other. If nothing of it succeeds, it was not a bad line, and the search is given up.

use std::collections::VecDeque;
use std::time::Duration;

use super::ask::Ask;
use super::queue::OPERATIONS;
use crate::clock::Mono;
use crate::mutants::mutant;

/// How long after a failed call its repetition leaves.
pub const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Calls that earn one repetition.
const CALLS_PER_RETRY: u32 = 10;
/// Repetitions that may be saved up.
const RETRIES_MAX: u32 = 10;
/// Halves that fail before the first succeeds: then it is not a line's fault.
const FAILURES_MAX: u32 = 4;
/// Halves waiting at the same time; what else fails meanwhile is not searched.
pub const PARTS_MAX: usize = 64;

/// Keys that leave together once more.
#[derive(Debug)]
pub struct Part {
    pub keys: Vec<u32>,
    pub not_before: Mono,
    /// Half of a call that failed.
    pub half: bool,
}

/// A search for a bad line.
#[derive(Debug, Default)]
struct Search {
    parts: VecDeque<Part>,
    in_air: bool,
    /// Something succeeded since it began.
    works: bool,
    failures: u32,
    /// Whole calls that failed since it began.
    calls_failed: u32,
    /// Single lines that failed before anything succeeded.
    suspects: Vec<Ask>,
}

/// What a search that found no line leaves behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    pub keys: Vec<u32>,
    /// How many calls failed that are now the operation's fault.
    pub calls: u32,
}

#[derive(Debug, Default)]
pub struct Again {
    retries: [VecDeque<Part>; OPERATIONS],
    searches: [Option<Search>; OPERATIONS],
    earned: u32,
}

impl Again {
    /// A call leaves that repeats nothing.
    pub fn first_call(&mut self) {
        self.earned = (self.earned + 1).min(CALLS_PER_RETRY * RETRIES_MAX);
    }

    /// Takes what one repetition costs, if it was earned.
    pub fn take_retry(&mut self) -> bool {
        if mutant!(RetryWithoutBudget) {
            return true;
        }
        let earned = self.earned >= CALLS_PER_RETRY;
        if earned {
            self.earned -= CALLS_PER_RETRY;
        }
        earned
    }

    pub fn retry(&mut self, operation: usize, keys: Vec<u32>, now: Mono) {
        if keys.is_empty() {
            return;
        }
        self.retries[operation].push_back(Part { keys, not_before: now.plus(RETRY_PAUSE), half: false });
    }

    pub fn is_searching(&self, operation: usize) -> bool {
        self.searches[operation].is_some()
    }

    /// Whether so many more halves may wait.
    pub fn has_room(&self, operation: usize) -> bool {
        self.searches[operation].as_ref().is_none_or(|search| search.parts.len() + 2 <= PARTS_MAX)
    }

    /// Searches among the keys of a call that failed as a whole. `half`: it was part of the search already.
    pub fn search(&mut self, operation: usize, mut keys: Vec<u32>, half: bool) {
        let search = self.searches[operation].get_or_insert_default();
        search.calls_failed += u32::from(!half);
        if half {
            search.in_air = false;
            search.failures += 1;
        }
        let second = keys.split_off(keys.len().div_ceil(2));
        for keys in [keys, second] {
            if !keys.is_empty() {
                search.parts.push_back(Part { keys, not_before: Mono::default(), half: true });
            }
        }
        self.tidy(operation);
    }

    /// A call failed for which there was no room to search.
    pub fn unsearched(&mut self, operation: usize) {
        if let Some(search) = &mut self.searches[operation] {
            search.calls_failed += 1;
        }
    }

    /// Some call of the operation succeeded. Gives the lines that had failed alone before: it was their fault.
    pub fn works(&mut self, operation: usize, half: bool) -> Vec<Ask> {
        let Some(search) = &mut self.searches[operation] else { return Vec::new() };
        search.works = true;
        if half {
            search.in_air = false;
        }
        let found = std::mem::take(&mut search.suspects);
        self.tidy(operation);
        found
    }

    /// A single line of the search failed. Gives the lines found out: itself, if anything has succeeded.
    pub fn found(&mut self, operation: usize, ask: Ask) -> Option<Ask> {
        let search = self.searches[operation].as_mut()?;
        search.in_air = false;
        if search.works {
            self.tidy(operation);
            return Some(ask);
        }
        search.failures += 1;
        search.suspects.push(ask);
        None
    }

    /// A half ended in a way that says nothing about its lines.
    pub fn undecided(&mut self, operation: usize) {
        if let Some(search) = &mut self.searches[operation] {
            search.in_air = false;
        }
        self.tidy(operation);
    }

    /// Ends a search in which nothing succeeds; nothing if it goes on.
    pub fn give_up(&mut self, operation: usize, force: bool) -> Option<GivenUp> {
        let search = self.searches[operation].as_ref()?;
        let hopeless =
            !search.works && (search.failures >= FAILURES_MAX || (search.parts.is_empty() && !search.in_air));
        if !(hopeless || force) {
            return None;
        }
        let search = self.searches[operation].take()?;
        let keys = search.parts.into_iter().flat_map(|part| part.keys).collect();
        Some(GivenUp { keys, calls: if search.works { 0 } else { search.calls_failed } })
    }

    /// Repetitions that will not be made.
    pub fn drop_retries(&mut self, operation: usize) -> Vec<u32> {
        self.retries[operation].drain(..).flat_map(|part| part.keys).collect()
    }

    /// What may leave now.
    pub fn due(&self, operation: usize, now: Mono) -> Option<&Part> {
        let retry = self.retries[operation].front().filter(|part| part.not_before <= now);
        retry.or_else(|| self.searches[operation].as_ref().filter(|search| !search.in_air)?.parts.front())
    }

    /// Takes what [`Again::due`] showed.
    pub fn take_due(&mut self, operation: usize, now: Mono) -> Option<Part> {
        if self.retries[operation].front().is_some_and(|part| part.not_before <= now) {
            return self.retries[operation].pop_front();
        }
        let search = self.searches[operation].as_mut().filter(|search| !search.in_air)?;
        let part = search.parts.pop_front()?;
        search.in_air = true;
        Some(part)
    }

    /// Keys of a part that were found suspicious since it was made: each goes alone.
    pub fn part_alone(&mut self, operation: usize, keys: Vec<u32>) {
        if let Some(search) = &mut self.searches[operation] {
            let alone = |key| Part { keys: vec![key], not_before: Mono::default(), half: true };
            search.parts.extend(keys.into_iter().map(alone));
        }
    }

    /// When the next repetition is due.
    pub fn next_due(&self) -> Option<Mono> {
        self.retries.iter().filter_map(|parts| parts.front()).map(|part| part.not_before).min()
    }

    fn tidy(&mut self, operation: usize) {
        let over =
            |search: &Search| search.parts.is_empty() && !search.in_air && (search.works || search.suspects.is_empty());
        if self.searches[operation].as_ref().is_some_and(over) {
            self.searches[operation] = None;
        }
    }
}
