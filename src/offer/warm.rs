//! Hot figures saved, and read back by the next process with their own ages and marks.
//!
//! The file holds customers' facts, stock and prices, those read lately first, within a bound of bytes; the marks of
//! invalidations that could concern them; and where in the journal the later ones begin. So what was invalidated before,
//! during or after the saving is as gone after a restart as it was before. A file of another ERP, another way to ask it,
//! another layout or hash, from the future, without its journal, or damaged is not read: the gateway then starts cold, and
//! says so.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::landing::Knowledge;
use super::party::KnownParty;
use crate::cache::saved::{self, ShapeNumbers};
use crate::cache::{BookKey, Epochs, PriceRow, StockRow};
use crate::clock::{Mono, Reading, Stamp, Timestamp};
use crate::domain::{CustomerFacts, CustomerId, PriceListId};
use crate::journal::pack::{Packer, Unpacker};
use crate::mutants::mutant;

const MAGIC: &[u8; 8] = b"cptwarm2";

const END: u8 = 0;
const PARTY: u8 = 1;
const STOCK: u8 = 2;
const BOOK: u8 = 3;
const PRICE: u8 = 4;

/// What the file begins with.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the table of marks.
    pub epochs_key: u64,
    pub saved_at: Timestamp,
    /// The journal's segment from which on invalidations are not in the marks.
    pub journal_from: u64,
}

/// How much was written or read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub customers: usize,
    pub stock: usize,
    pub prices: usize,
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Of another version, ERP or way to ask it.
    Foreign,
    /// Saved later than it is now: no age can be told.
    FromTheFuture,
    /// The journal it goes on with is gone: what was declared wrong since is not known.
    WithoutJournal,
    Garbled,
}

/// Everything worth keeping, as the parts of a file. Takes no lock for long.
pub fn save(
    knowledge: &Knowledge,
    fingerprint: &str,
    journal_from: u64,
    now: Reading,
    bytes_max: usize,
) -> ([Vec<u8>; 2], Counts) {
    let mut writer = Writer { to: Packer::default(), now, oldest: None, counts: Counts::default() };
    // Without its customer no price is read; stock is everybody's.
    for (customer, party) in knowledge.parties.all() {
        if writer.to.0.len() < bytes_max / 5 {
            writer.party(&customer, &party);
        }
    }
    for hot in [true, false] {
        let share = bytes_max / 5 + bytes_max / 4;
        knowledge.memory.stock.visit(|row, used| {
            if used == hot && writer.to.0.len() < share {
                writer.stock(row);
            }
        });
    }
    let mut shapes = ShapeNumbers::default();
    for hot in [true, false] {
        for (key, book) in knowledge.memory.books() {
            let mut named = false;
            book.visit(|row, used| {
                if used == hot && writer.to.0.len() < bytes_max {
                    if !std::mem::replace(&mut named, true) {
                        writer.to.byte(BOOK);
                        writer.to.bytes(std::borrow::Borrow::<[u8]>::borrow(&*key));
                    }
                    writer.price(row, &mut shapes);
                }
            });
        }
    }
    writer.to.byte(END);
    // After the rows, so that what was invalidated meanwhile is among the marks.
    let marks = knowledge.epochs.marks_above(writer.oldest.unwrap_or_default());
    let mut head = Packer::default();
    head.0.extend_from_slice(MAGIC);
    head.number(saved::LAYOUT);
    head.text(env!("CARGO_PKG_VERSION"));
    head.text(fingerprint);
    head.number(knowledge.epochs.key());
    head.number(Epochs::layout_of(knowledge.epochs.key()));
    head.signed(now.wall.0);
    head.number(journal_from);
    head.number(knowledge.epochs.stamp().0);
    for marks in marks {
        head.list(marks.into_iter(), |to, (cell, stamp)| {
            to.number(cell);
            to.number(stamp.0);
        });
    }
    ([head.0, writer.to.0], writer.counts)
}

/// Whether a file may be read, and what it begins with; what follows is left in `from`. `segments` are the journal's.
pub fn open(
    from: &mut Unpacker<'_>,
    fingerprint: &str,
    segments: RangeInclusive<u64>,
    now: Timestamp,
) -> Result<Head, Unread> {
    let head = (|| {
        let magic = from.0.split_off(..MAGIC.len())?;
        let same = magic == MAGIC
            && from.number()? == saved::LAYOUT
            && from.text()? == env!("CARGO_PKG_VERSION")
            && from.text()? == fingerprint;
        if !same {
            return None;
        }
        let epochs_key = from.number()?;
        if from.number()? != Epochs::layout_of(epochs_key) {
            return None;
        }
        Some(Head { epochs_key, saved_at: Timestamp(from.signed()?), journal_from: from.number()? })
    })();
    let head = head.ok_or(Unread::Foreign)?;
    if !segments.contains(&head.journal_from) && !mutant!(JournalNotMissed) {
        return Err(Unread::WithoutJournal);
    }
    if head.saved_at > now { Err(Unread::FromTheFuture) } else { Ok(head) }
}

/// Reads the rest of an opened file into the knowledge, whose table of marks was made with the file's key.
pub fn restore(from: &mut Unpacker<'_>, head: &Head, knowledge: &Knowledge, now: Reading) -> Result<Counts, Unread> {
    let counter = Stamp(from.number().ok_or(Unread::Garbled)?);
    let mut marks = || from.list(|from| Some((from.number()?, Stamp(from.number()?))));
    let marks = [marks().ok_or(Unread::Garbled)?, marks().ok_or(Unread::Garbled)?];
    let marks = if mutant!(SavedCellsForgotten) { [Vec::new(), Vec::new()] } else { marks };
    // Before any row is there to be read.
    knowledge.epochs.restore(marks, counter);
    let mut reader = Reader { head, knowledge, now, counts: Counts::default() };
    reader.all(from).ok_or(Unread::Garbled)?;
    Ok(reader.counts)
}

struct Writer {
    to: Packer,
    now: Reading,
    oldest: Option<Stamp>,
    counts: Counts,
}

impl Writer {
    fn begin(&mut self, kind: u8, stamp: Stamp, observed: Reading) {
        self.to.byte(kind);
        self.to.number(stamp.0);
        self.to.number(u64::try_from(self.now.mono.since(observed.mono).as_micros()).unwrap_or(u64::MAX));
        self.to.signed(observed.wall.0);
        self.oldest = Some(self.oldest.map_or(stamp, |oldest| oldest.min(stamp)));
    }

    fn party(&mut self, customer: &str, party: &KnownParty) {
        self.begin(PARTY, party.stamp, party.observed);
        self.to.text(customer);
        let CustomerFacts { currency, price_list, own_prices, blocked, attributes } = &*party.facts;
        self.to.optional(currency.as_ref(), |to, currency| to.text(currency.as_str()));
        self.to.optional(price_list.as_ref(), |to, list| to.text(list.as_str()));
        self.to.byte(u8::from(*own_prices));
        self.to.byte(u8::from(*blocked));
        self.to.list(attributes.iter(), |to, (name, value)| {
            to.text(name);
            to.text(value);
        });
        self.counts.customers += 1;
    }

    fn stock(&mut self, row: &StockRow) {
        self.begin(STOCK, row.stamp(), row.observed());
        saved::pack_stock(&mut self.to, row);
        self.counts.stock += 1;
    }

    fn price(&mut self, row: &PriceRow, shapes: &mut ShapeNumbers) {
        self.begin(PRICE, row.stamp(), row.observed());
        saved::pack_price(&mut self.to, row, shapes);
        self.counts.prices += 1;
    }
}

struct Reader<'a> {
    head: &'a Head,
    knowledge: &'a Knowledge,
    now: Reading,
    counts: Counts,
}

impl Reader<'_> {
    fn all(&mut self, from: &mut Unpacker<'_>) -> Option<()> {
        let memory = &self.knowledge.memory;
        let mut shapes = Vec::new();
        let mut book: Option<BookKey> = None;
        let mut rows: Vec<PriceRow> = Vec::new();
        loop {
            match from.byte()? {
                END => break,
                BOOK => {
                    if let Some(key) = book.replace(BookKey::from_saved(from.bytes()?)) {
                        memory.insert_prices(&key, rows.drain(..));
                    }
                }
                PARTY => {
                    let (stamp, observed) = self.begun(from)?;
                    self.party(from, stamp, observed)?;
                }
                STOCK => {
                    let (stamp, observed) = self.begun(from)?;
                    memory.stock.insert(saved::unpack_stock(from, stamp, observed, &memory.stock_shapes)?);
                    self.counts.stock += 1;
                }
                PRICE => {
                    let (stamp, observed) = self.begun(from)?;
                    rows.push(saved::unpack_price(from, &mut shapes, stamp, observed, &memory.price_shapes)?);
                    self.counts.prices += 1;
                }
                _ => return None,
            }
        }
        if let Some(key) = book {
            memory.insert_prices(&key, rows);
        }
        from.is_empty().then_some(())
    }

    /// The figure's own age: what it was when it was saved, and the time since.
    fn begun(&self, from: &mut Unpacker<'_>) -> Option<(Stamp, Reading)> {
        let stamp = Stamp(from.number()?);
        let age = Duration::from_micros(from.number()?);
        let wall = Timestamp(from.signed()?);
        let since = u64::try_from(self.now.wall.0 - self.head.saved_at.0).ok()?;
        let mono: Mono = self.now.mono.minus(age + Duration::from_millis(since));
        Some((stamp, Reading { mono, wall }))
    }

    fn party(&mut self, from: &mut Unpacker<'_>, stamp: Stamp, observed: Reading) -> Option<()> {
        let customer = match from.text()? {
            "" => None,
            id => Some(CustomerId::new(id).ok()?),
        };
        let facts = CustomerFacts {
            currency: from.optional(|from| from.text()?.parse().ok())?,
            price_list: from.optional(|from| PriceListId::new(from.text()?).ok())?,
            own_prices: from.flag()?,
            blocked: from.flag()?,
            attributes: from
                .list(|from| Some((from.text()?.to_owned(), from.text()?.to_owned())))?
                .into_iter()
                .collect(),
        };
        self.knowledge.parties.insert(customer.as_ref(), KnownParty { facts: Arc::new(facts), stamp, observed });
        self.counts.customers += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{CacheConfig, Memory, Negatives};
    use crate::erp::connector::Capabilities;
    use crate::offer::calendar::Calendar;
    use crate::offer::party::Parties;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn saved() -> (Vec<u8>, u64) {
        let cache = CacheConfig::default();
        let knowledge = Knowledge {
            memory: Memory::new(&cache),
            negatives: Negatives::new(1 << 10),
            parties: Parties::new(10),
            epochs: Epochs::keyed(7),
            calendar: Calendar(jiff::tz::TimeZone::UTC),
            capabilities: Capabilities::plain(),
        };
        let now = Reading { mono: Mono(0), wall: NOW };
        let ([head, rows], _) = save(&knowledge, "this ERP", 3, now, 1 << 20);
        ([head, rows].concat(), Epochs::layout_of(7))
    }

    fn opened(file: &[u8], fingerprint: &str, segments: RangeInclusive<u64>, now: Timestamp) -> Result<Head, Unread> {
        open(&mut Unpacker(file), fingerprint, segments, now)
    }

    #[test]
    fn what_may_be_read() {
        let (file, _) = saved();
        let read = opened(&file, "this ERP", 3..=4, NOW).unwrap();
        assert_eq!(read, Head { epochs_key: 7, saved_at: NOW, journal_from: 3 });
        assert_eq!(opened(&file, "another ERP", 3..=4, NOW), Err(Unread::Foreign));
        assert_eq!(opened(&file, "this ERP", 3..=4, Timestamp(NOW.0 - 1)), Err(Unread::FromTheFuture));
        for gone in [1..=1, 1..=2, 4..=4] {
            assert_eq!(opened(&file, "this ERP", gone.clone(), NOW), Err(Unread::WithoutJournal), "{gone:?}");
        }
    }

    /// A program that puts words into other cells would take no notice of the marks.
    #[test]
    fn marks_of_a_program_that_hashes_otherwise_are_not_read() {
        let (mut file, layout) = saved();
        let packed = |number| {
            let mut packer = Packer::default();
            packer.number(number);
            packer.0
        };
        let (own, other) = (packed(layout), packed(layout ^ 1));
        let at = file.windows(own.len()).position(|bytes| bytes == own).expect("the layout is in the head");
        file.splice(at..at + own.len(), other);
        assert_eq!(opened(&file, "this ERP", 3..=3, NOW), Err(Unread::Foreign));
    }
}
