//! Makes a failing scenario shorter: drops steps by halves, then by smaller parts, then singly, then lines of pages, as long as
//! it still fails.

use crate::scenario::{Scenario, What};

/// The shortest scenario found that still fails, by at most so many tries.
pub fn shrink(scenario: &Scenario, tries: usize, fails: impl Fn(&Scenario) -> bool) -> Scenario {
    let mut tries = tries;
    let mut attempt = |candidate: &Scenario| {
        tries = tries.saturating_sub(1);
        tries > 0 && fails(candidate)
    };
    let mut shortest = scenario.clone();
    loop {
        let before = size(&shortest);
        drop_steps(&mut shortest, &mut attempt);
        drop_lines(&mut shortest, &mut attempt);
        if size(&shortest) == before {
            return shortest;
        }
    }
}

fn drop_steps(shortest: &mut Scenario, fails: &mut impl FnMut(&Scenario) -> bool) {
    let mut part = shortest.steps.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        while from < shortest.steps.len() {
            let mut candidate = shortest.clone();
            let to = (from + part).min(candidate.steps.len());
            candidate.steps.drain(from..to);
            if fails(&candidate) {
                *shortest = candidate;
            } else {
                from += part;
            }
        }
        part /= 2;
    }
}

fn drop_lines(shortest: &mut Scenario, fails: &mut impl FnMut(&Scenario) -> bool) {
    for step in 0..shortest.steps.len() {
        let mut line = 0;
        loop {
            let mut candidate = shortest.clone();
            let What::Page(page) = &mut candidate.steps[step].what else { break };
            if line >= page.lines.len() || page.lines.len() < 2 {
                break;
            }
            page.lines.remove(line);
            if fails(&candidate) {
                *shortest = candidate;
            } else {
                line += 1;
            }
        }
    }
}

fn size(scenario: &Scenario) -> usize {
    let lines = scenario.steps.iter().map(|step| match &step.what {
        What::Page(page) => page.lines.len(),
        _ => 0,
    });
    scenario.steps.len() + lines.sum::<usize>()
}

#[test]
fn what_matters_is_left_over() {
    let scenario = crate::draw::scenario(3);
    let invalidations = |scenario: &Scenario| {
        scenario.steps.iter().filter(|step| matches!(step.what, What::Change(_) | What::Invalidate(..))).count()
    };
    let pages = |scenario: &Scenario| {
        scenario.steps.iter().filter(|step| matches!(&step.what, What::Page(page) if page.lines.len() > 1)).count()
    };
    // Stands for a failure that needs one page of two lines and no more.
    let shortest = shrink(&scenario, 10_000, |candidate| pages(candidate) > 0);
    assert_eq!((shortest.steps.len(), pages(&shortest), invalidations(&shortest)), (1, 1, 0), "{shortest:?}");
    assert_eq!(size(&shortest), 3);
}
