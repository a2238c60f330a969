//! Lists of numbered things that can be left from the middle at once.
//!
//! A waiting key stands in two orders, that of its account and that of its group, and leaves both when it departs, moves up
//! or is dropped. With doubly linked lists over an array that costs a few stores, no search and no allocation, and nothing
//! that has left stays behind to be passed over later.

/// Neighbours of one member.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    before: u32,
    after: u32,
}

const NONE: u32 = u32::MAX;

/// The links of all members, by their number. A number is in one list at a time.
#[derive(Debug, Default)]
pub struct Links(Vec<Link>);

/// One list.
#[derive(Clone, Copy, Debug)]
pub struct List {
    first: u32,
    last: u32,
    len: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { first: NONE, last: NONE, len: 0 }
    }
}

impl List {
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn first(&self) -> Option<u32> {
        some(self.first)
    }

    pub fn last(&self) -> Option<u32> {
        some(self.last)
    }

    pub fn push_back(&mut self, links: &mut Links, number: u32) {
        let at = number as usize;
        if links.0.len() <= at {
            links.0.resize(at + 1, Link { before: NONE, after: NONE });
        }
        links.0[at] = Link { before: self.last, after: NONE };
        match some(self.last) {
            Some(last) => links.0[last as usize].after = number,
            None => self.first = number,
        }
        self.last = number;
        self.len += 1;
    }

    /// Takes out a number that is in this list.
    pub fn remove(&mut self, links: &mut Links, number: u32) {
        let Link { before, after } = links.0[number as usize];
        match some(before) {
            Some(before) => links.0[before as usize].after = after,
            None => self.first = after,
        }
        match some(after) {
            Some(after) => links.0[after as usize].before = before,
            None => self.last = before,
        }
        self.len -= 1;
    }
}

impl Links {
    /// Who stands behind.
    pub fn after(&self, number: u32) -> Option<u32> {
        some(self.0[number as usize].after)
    }

    /// Who stands in front.
    pub fn before(&self, number: u32) -> Option<u32> {
        some(self.0[number as usize].before)
    }
}

fn some(number: u32) -> Option<u32> {
    (number != NONE).then_some(number)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn read(list: &List, links: &Links) -> Vec<u32> {
        std::iter::successors(list.first(), |number| links.after(*number)).collect()
    }

    proptest::proptest! {
        #[test]
        fn a_list_is_what_a_queue_would_be(steps in proptest::collection::vec((0u32..20, proptest::bool::ANY), 0..200)) {
            let (mut list, mut links) = (List::default(), Links::default());
            let mut model: VecDeque<u32> = VecDeque::new();
            for (number, adds) in steps {
                let there = model.iter().position(|held| *held == number);
                match (adds, there) {
                    (true, None) => {
                        list.push_back(&mut links, number);
                        model.push_back(number);
                    }
                    (false, Some(at)) => {
                        list.remove(&mut links, number);
                        model.remove(at);
                    }
                    _ => {}
                }
                proptest::prop_assert_eq!(read(&list, &links), Vec::from(model.clone()));
                proptest::prop_assert_eq!(list.len(), model.len());
                proptest::prop_assert_eq!(list.last(), model.back().copied());
                let backwards: Vec<u32> = std::iter::successors(list.last(), |number| links.before(*number)).collect();
                proptest::prop_assert_eq!(backwards, model.iter().rev().copied().collect::<Vec<_>>());
            }
        }
    }
}
