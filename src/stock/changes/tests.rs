//! Readers of all kinds beside a writer, from seeds, against what a reader should know; and what each rule is for.

use std::collections::BTreeMap;

use super::*;

/// splitmix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scrambled(self.0)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

type Row = u32;
/// Version and value.
type Known = BTreeMap<Row, (u64, u64)>;

#[derive(Clone, Debug, Default)]
struct Reader {
    cursor: Option<Cursor>,
    known: Known,
    limit: usize,
}

impl Reader {
    fn take(&mut self, rows: &[PageRow<Row>], truth: &Known) {
        for row in rows {
            let (version, value) = truth[&row.key];
            assert!(version >= row.version, "figures are no older than the page");
            if let Some((before, _)) = self.known.insert(row.key, (version, value)) {
                assert!(version >= before, "row {} went back from {before} to {version}", row.key);
            }
        }
    }
}

/// What a process keeps on disk.
#[derive(Clone)]
struct Disk {
    /// Id of the last change, urgent.
    rows: BTreeMap<Row, (u64, bool)>,
    truth: Known,
    history: Vec<u8>,
}

struct World {
    draw: Draw,
    log: ChangeLog<Row>,
    disk: Disk,
    readers: Vec<Reader>,
    rows: u64,
}

fn started(disk: &mut Disk, random: u64, draw: &mut Draw) -> ChangeLog<Row> {
    let mut kept: Vec<_> = disk.rows.iter().map(|(row, (id, urgent))| (*row, *id, *urgent)).collect();
    // As from a journal: also older changes, and any of them twice.
    let older: Vec<_> =
        kept.iter().filter(|(_, id, _)| *id > 3 && draw.chance(30)).map(|(row, id, _)| (*row, id - 3, true)).collect();
    kept.extend(older);
    for at in (1..kept.len()).rev() {
        kept.swap(at, draw.below(at as u64 + 1) as usize);
    }
    let mut rebuild = Rebuild::default();
    kept.iter().for_each(|(row, id, urgent)| rebuild.take(row, *id, *urgent));
    let mut history = History::from_bytes(&disk.history).unwrap();
    history.start(random, rebuild.highest());
    disk.history = history.to_bytes();
    rebuild.start(history)
}

impl World {
    fn new(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let mut disk = Disk { rows: BTreeMap::new(), truth: BTreeMap::new(), history: Vec::new() };
        let log = started(&mut disk, draw.next(), &mut draw);
        let readers = (0..3).map(|_| Reader { limit: 1 + draw.below(12) as usize, ..Reader::default() }).collect();
        let rows = 2 + draw.below(60);
        Self { draw, log, disk, readers, rows }
    }

    fn some_row(&mut self) -> Row {
        // Some of them most of the time.
        let end = if self.draw.chance(60) { 1 + self.rows / 8 } else { self.rows };
        self.draw.below(end) as Row
    }

    fn some_rows(&mut self, most: u64) -> Vec<(Row, u64)> {
        let count = 1 + self.draw.below(most);
        let mut rows = BTreeMap::new();
        for _ in 0..count {
            let row = self.some_row();
            let value = if self.draw.chance(40) { 0 } else { self.draw.below(1000) };
            rows.insert(row, value);
        }
        rows.into_iter().collect()
    }

    fn keep(&mut self, row: Row, id: u64, value: u64) {
        self.disk.rows.insert(row, (id, value == 0));
        self.disk.truth.insert(row, (id, value));
    }

    fn change(&mut self) {
        for (row, value) in self.some_rows(6) {
            let id = self.log.next_id();
            self.log.apply(&row, id, value == 0);
            self.keep(row, id, value);
        }
        self.log.publish();
    }

    /// More than is taken in at once: readers get pages in between.
    fn restate(&mut self) {
        let rows = self.some_rows(30);
        let mut later = Vec::new();
        for (row, value) in rows {
            let id = self.log.next_id();
            self.log.stage(&row, id, value == 0);
            later.push((row, id, value));
            if self.draw.chance(20) {
                self.read();
            }
        }
        later.into_iter().for_each(|(row, id, value)| self.keep(row, id, value));
        self.log.publish();
    }

    fn some_reader(&mut self) -> usize {
        self.draw.below(self.readers.len() as u64) as usize
    }

    fn page(&mut self, reader: usize) -> Page<Row> {
        let told = self.readers[reader].cursor.map(|cursor| cursor.to_string().parse().unwrap());
        match self.log.page(told.as_ref(), self.readers[reader].limit) {
            Ok(page) => page,
            Err(ResyncRequired) => {
                let limit = self.readers[reader].limit;
                self.readers[reader] = Reader { limit, ..Reader::default() };
                self.log.page(None, limit).unwrap()
            }
        }
    }

    fn read(&mut self) {
        let reader = self.some_reader();
        let page = self.page(reader);
        assert!(page.rows.len() <= self.readers[reader].limit);
        if self.draw.chance(15) {
            // The answer is lost.
            return;
        }
        let late = self.log.watermark() == self.log.highest && self.draw.chance(20);
        if late {
            self.change();
        }
        let (truth, draw, reader) = (&self.disk.truth, &mut self.draw, &mut self.readers[reader]);
        reader.take(&page.rows, truth);
        if !late && !page.more {
            assert_eq!(&reader.known, truth, "nothing is missed at {:?}", page.cursor);
        }
        if !draw.chance(10) {
            reader.cursor = Some(page.cursor);
        }
    }

    fn copy(&mut self) {
        let (from, to) = (self.some_reader(), self.some_reader());
        let limit = self.readers[to].limit;
        self.readers[to] = Reader { limit, ..self.readers[from].clone() };
    }

    fn snapshot(&mut self) {
        let reader = self.some_reader();
        let cursor = self.log.head();
        if self.draw.chance(50) {
            self.change();
        }
        self.readers[reader].cursor = Some(cursor);
        self.readers[reader].known = self.disk.truth.clone();
    }

    fn restart(&mut self) {
        let random = self.draw.next();
        self.log = started(&mut self.disk, random, &mut self.draw);
    }

    /// Reads to the end while the writer goes on or not, and has to get there.
    fn drain(&mut self, reader: usize, beside_changes: bool) {
        let first = self.page(reader).watermark;
        let limit = self.readers[reader].limit;
        let pages_max = (self.rows as usize / (limit / 4).max(1) + 2) * 2;
        for _ in 0..pages_max {
            let page = self.page(reader);
            let truth = &self.disk.truth;
            self.readers[reader].take(&page.rows, truth);
            self.readers[reader].cursor = Some(page.cursor);
            if !page.more {
                assert_eq!(&self.readers[reader].known, truth, "nothing is missed at the end");
            }
            if if beside_changes { page.reaches(first) } else { !page.more } {
                return;
            }
            if beside_changes {
                self.change();
            }
        }
        panic!("a loop: {pages_max} pages of {limit} were not enough for {} rows", self.rows);
    }

    fn run(&mut self, steps: u64) {
        let mut copy: Option<(Disk, Vec<Reader>)> = None;
        for _ in 0..steps {
            match self.draw.below(100) {
                0..40 => self.change(),
                40..43 => self.restate(),
                43..85 => self.read(),
                85..90 => self.copy(),
                90..93 => self.snapshot(),
                93..95 => self.restart(),
                95..98 => {
                    let reader = self.some_reader();
                    let beside_changes = self.draw.chance(50);
                    self.drain(reader, beside_changes);
                }
                98 => copy = Some((self.disk.clone(), self.readers.clone())),
                _ => {
                    let Some((disk, readers)) = copy.take() else { continue };
                    // The folder is put back as it was. Some readers are, too; the others know what is not any more.
                    self.disk = disk;
                    let highest = self.disk.truth.values().map(|(version, _)| *version).max().unwrap_or_default();
                    for (now, then) in self.readers.iter_mut().zip(readers) {
                        let limit = now.limit;
                        // Who took rows and not their cursor cannot be told: an older cursor is of this log.
                        let knows_more = now.known.values().any(|(version, _)| *version > highest);
                        let is_told = now.cursor.is_some_and(|cursor| cursor.seen > highest);
                        if self.draw.chance(30) || (knows_more && !is_told) {
                            *now = Reader { limit, ..then };
                        }
                    }
                    self.restart();
                    for _ in 0..self.draw.below(40) {
                        self.change();
                    }
                }
            }
        }
        for reader in 0..self.readers.len() {
            self.drain(reader, false);
        }
    }
}

#[test]
fn nothing_is_missed_and_nobody_loops() {
    for seed in 0..4000 {
        let run = std::panic::catch_unwind(|| World::new(seed).run(120));
        assert!(run.is_ok(), "seed {seed}");
    }
}

/// Rounds between two deliveries of a row that changes in every round, at most; readers give their pages a round, and
/// more rows change than the first of them reads.
fn longest_wait(limit: usize, pages: &[usize], rounds: u64) -> u64 {
    const HOT: u32 = 20;
    const ROWS: u64 = 600;
    let mut draw = Draw(7);
    let mut disk = Disk { rows: BTreeMap::new(), truth: BTreeMap::new(), history: Vec::new() };
    let mut log = started(&mut disk, 1, &mut draw);
    let mut cursors = vec![None; pages.len()];
    let mut last = vec![0; HOT as usize];
    let mut longest = 0;
    for round in 1..=rounds {
        for _ in 0..limit * 2 {
            let (row, id) = (HOT + draw.below(ROWS) as u32, log.next_id());
            log.apply(&row, id, false);
        }
        for row in 0..HOT {
            let id = log.next_id();
            log.apply(&row, id, false);
        }
        log.publish();
        for (reader, pages) in pages.iter().enumerate() {
            for _ in 0..*pages {
                let page = log.page(cursors[reader].as_ref(), limit).unwrap();
                cursors[reader] = Some(page.cursor);
                for row in page.rows.iter().filter(|row| reader == 0 && row.key < HOT) {
                    last[row.key as usize] = round;
                }
            }
        }
        longest = last.iter().map(|last| round - last).max().unwrap_or_default().max(longest);
    }
    longest
}

#[test]
fn hot_rows_come_to_a_reader_that_is_always_behind() {
    for limit in [1, 2, 5, 16, 50] {
        let longest = longest_wait(limit, &[1], 4000);
        assert!(longest <= 2 * (620 / limit as u64 + 1), "pages of {limit}: {longest} rounds");
    }
}

#[test]
fn hot_rows_come_to_a_reader_behind_one_who_keeps_up() {
    for limit in [5, 16, 50] {
        let longest = longest_wait(limit, &[1, 200], 8000);
        assert!(longest <= 2000, "pages of {limit}: {longest} rounds");
    }
}

fn log_of(rows: u32, is_urgent: impl Fn(u32) -> bool) -> ChangeLog<u32> {
    let mut rebuild = Rebuild::default();
    (0..rows).for_each(|row| rebuild.take(&row, u64::from(row) + 1, is_urgent(row)));
    let mut history = History::default();
    history.start(1, rebuild.highest());
    rebuild.start(history)
}

fn keys(page: &Page<u32>) -> Vec<u32> {
    page.rows.iter().map(|row| row.key).collect()
}

#[test]
fn zeros_overtake_but_take_half_a_page_at_most() {
    let log = log_of(20, |row| row >= 10);
    let page = log.page(None, 6).unwrap();
    assert_eq!(keys(&page), [10, 11, 12, 0, 1, 2]);
    let page = log.page(Some(&page.cursor), 6).unwrap();
    assert_eq!(keys(&page), [13, 14, 15, 3, 4, 5]);
    let page = log.page(Some(&page.cursor), 100).unwrap();
    assert_eq!(keys(&page), [16, 17, 18, 19, 6, 7, 8, 9]);
    assert!(!page.more);
    let page = log.page(Some(&page.cursor), 100).unwrap();
    assert_eq!((page.rows.len(), page.more), (0, false));
}

#[test]
fn what_is_being_restated_is_told_as_more() {
    let mut log = log_of(3, |_| false);
    let end = log.page(None, 10).unwrap();
    log.stage(&1, 4, false);
    let page = log.page(Some(&end.cursor), 10).unwrap();
    assert_eq!((page.rows.len(), page.more), (0, true));
    // A reader that comes now misses the row: it is told so.
    let fresh = log.page(None, 10).unwrap();
    assert_eq!((keys(&fresh), fresh.more), (vec![0, 2], true));
    log.publish();
    for cursor in [page.cursor, fresh.cursor] {
        let page = log.page(Some(&cursor), 10).unwrap();
        assert_eq!((keys(&page), page.more), (vec![1], false));
    }
}

#[test]
fn what_is_forgotten_is_in_no_page_until_it_comes_again() {
    let mut log = log_of(4, |row| row == 2);
    log.forget(&1);
    log.forget(&2);
    log.pass(5);
    log.publish();
    let page = log.page(None, 10).unwrap();
    assert_eq!((keys(&page), page.watermark), (vec![0, 3], 5));
    assert_eq!((page.cursor.position(), page.cursor.seen()), (5, 5));
    log.apply(&2, 6, false);
    log.apply(&1, 7, true);
    log.publish();
    let page = log.page(Some(&page.cursor), 10).unwrap();
    assert_eq!((keys(&page), page.more), (vec![1, 2], false));
}

#[test]
fn cursors_are_short_and_checked() {
    let cursor = Cursor { incarnation: u64::MAX, all: u64::MAX - 1, urgent: u64::MAX, seen: 7 };
    let text = cursor.to_string();
    assert!(text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert_eq!(text.parse(), Ok(cursor));
    for cut in 0..text.len() {
        assert_eq!(text[..cut].parse::<Cursor>(), Err(MalformedCursor), "cut at {cut}");
    }
    for at in 0..text.len() {
        let mut other = text.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(other.parse::<Cursor>(), Err(MalformedCursor), "{other}");
    }
    for bad in ["", "a", "now", "é", &"a".repeat(10_000)] {
        assert_eq!(bad.parse::<Cursor>(), Err(MalformedCursor), "{bad:?}");
    }
}

#[test]
fn a_cursor_of_another_log_is_refused() {
    let ours = log_of(3, |_| false);
    let mut history = History::default();
    history.start(2, 0);
    let theirs = Rebuild::<u32>::default().start(history).head();
    assert_eq!(ours.page(Some(&theirs), 1), Err(ResyncRequired));
    // From the future of a folder that was put back.
    let beyond = Cursor { seen: 4, ..ours.head() };
    assert_eq!(ours.page(Some(&beyond), 1), Err(ResyncRequired));
    assert!(ours.page(Some(&ours.head()), 1).is_ok());
}

#[test]
fn a_history_is_what_it_was_or_nothing() {
    let mut history = History::default();
    (0..STARTS).for_each(|start| history.start(start, start));
    let bytes = history.to_bytes();
    assert_eq!(History::from_bytes(&bytes), Some(history.clone()));
    assert_eq!(History::from_bytes(&bytes[1..]), None);
    assert_eq!(history.end_of(STARTS - 1, 99_999), Some(99_999));
    assert_eq!(history.end_of(STARTS - 2, 99_999), Some(STARTS - 1));
    assert_eq!(history.end_of(0, 99_999), None, "forgotten");
}

const STARTS: u64 = 17_000;

#[test]
fn the_index_takes_forty_bytes_a_row() {
    const ROWS: u32 = 100_000;
    let mut log = log_of(0, |_| false);
    let mut draw = Draw(1);
    for row in 0..ROWS {
        log.apply(&row, log.next_id(), row % 10 == 0);
    }
    log.publish();
    let mut worst = log.bytes();
    for _ in 0..ROWS * 3 {
        let page_now_and_then = draw.chance(1);
        let (row, id) = (draw.below(u64::from(ROWS)) as u32, log.next_id());
        log.apply(&row, id, draw.chance(10));
        log.publish();
        if page_now_and_then {
            log.head();
            worst = worst.max(log.bytes());
        }
    }
    let each = worst / ROWS as usize;
    println!("{each} bytes a row, without its key");
    assert!(each <= 46, "{each} bytes");
}
