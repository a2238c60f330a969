//! Who follows whom: numbers of rows by the id of their place, in short pieces.
//!
//! A row that moves leaves a dead entry behind. A piece that is half dead is squeezed and joined with its neighbour where
//! both fit, so that the whole stays in proportion to the rows and nobody ever waits for more than one piece.

/// Entries of one piece; what one squeeze costs at most.
const PIECE: usize = 4096;
/// Shorter ones are left alone: they cost nothing.
const SQUEEZED_FROM: usize = 64;

#[derive(Debug)]
struct Piece {
    base: u64,
    /// Beyond the base; ascending.
    offsets: Vec<u32>,
    rows: Vec<u32>,
    live: usize,
}

impl Piece {
    fn last(&self) -> u64 {
        self.offsets.last().map_or(self.base, |offset| self.base + u64::from(*offset))
    }

    fn fits(&self, id: u64) -> bool {
        self.rows.len() < PIECE && id - self.base <= u64::from(u32::MAX)
    }

    fn push(&mut self, id: u64, row: u32) {
        self.offsets.push((id - self.base) as u32);
        self.rows.push(row);
        self.live += 1;
    }

    fn holds(&self, id: u64) -> bool {
        let offset = id.checked_sub(self.base).and_then(|offset| u32::try_from(offset).ok());
        offset.is_some_and(|offset| self.offsets.binary_search(&offset).is_ok())
    }

    fn at(&self, index: usize) -> (u64, u32) {
        (self.base + u64::from(self.offsets[index]), self.rows[index])
    }
}

#[derive(Debug, Default)]
pub(super) struct Order {
    /// None of them is empty.
    pieces: Vec<Piece>,
}

impl Order {
    /// Puts a row at the end.
    pub fn push(&mut self, id: u64, row: u32) {
        if let Some(last) = self.pieces.last_mut() {
            debug_assert!(id > last.last(), "ids only grow");
            if last.fits(id) {
                return last.push(id, row);
            }
        }
        let mut piece = Piece { base: id, offsets: Vec::new(), rows: Vec::new(), live: 0 };
        piece.push(id, row);
        self.pieces.push(piece);
    }

    /// The entry at this place counts no more; `is_live` says which do.
    pub fn leave(&mut self, id: u64, is_live: impl Fn(u64, u32) -> bool) {
        let at = self.pieces.partition_point(|piece| piece.last() < id);
        let Some(piece) = self.pieces.get_mut(at).filter(|piece| piece.holds(id)) else { return };
        piece.live -= 1;
        if piece.live == 0 {
            self.pieces.remove(at);
        } else if piece.rows.len() >= SQUEEZED_FROM && piece.live * 2 <= piece.rows.len() {
            self.squeeze(at, is_live);
        }
    }

    fn squeeze(&mut self, at: usize, is_live: impl Fn(u64, u32) -> bool) {
        let old = &self.pieces[at];
        let mut piece = Piece {
            base: old.base,
            offsets: Vec::with_capacity(old.live),
            rows: Vec::with_capacity(old.live),
            live: 0,
        };
        let entries = (0..old.rows.len()).map(|index| old.at(index));
        entries.filter(|(id, row)| is_live(*id, *row)).for_each(|(id, row)| piece.push(id, row));
        debug_assert_eq!(piece.live, old.live);
        let Some(before) = at.checked_sub(1).map(|before| &mut self.pieces[before]) else {
            self.pieces[at] = piece;
            return;
        };
        let joined = before.rows.len() + piece.rows.len();
        if joined > PIECE || piece.last() - before.base > u64::from(u32::MAX) {
            self.pieces[at] = piece;
            return;
        }
        before.offsets.reserve_exact(piece.rows.len());
        before.rows.reserve_exact(piece.rows.len());
        let live = before.live + piece.live;
        (0..piece.rows.len()).map(|index| piece.at(index)).for_each(|(id, row)| before.push(id, row));
        before.live = live;
        self.pieces.remove(at);
    }

    /// Entries behind this id, dead ones among them.
    pub fn after(&self, id: u64) -> impl Iterator<Item = (u64, u32)> {
        let (first, within) = self.seek(id);
        let pieces = self.pieces.get(first..).unwrap_or_default().iter().enumerate();
        pieces.flat_map(move |(nth, piece)| {
            (if nth == 0 { within } else { 0 }..piece.rows.len()).map(|index| piece.at(index))
        })
    }

    /// The entry so many from the end, if it is behind this id.
    pub fn back_from_end(&self, distance: usize, behind: u64) -> Option<(u64, u32)> {
        let mut left = distance;
        for piece in self.pieces.iter().rev() {
            if left < piece.rows.len() {
                let entry = piece.at(piece.rows.len() - 1 - left);
                return (entry.0 > behind).then_some(entry);
            }
            left -= piece.rows.len();
        }
        None
    }

    /// How many entries there are behind this id, dead ones among them.
    pub fn count_after(&self, id: u64) -> usize {
        let (first, within) = self.seek(id);
        let pieces = self.pieces.get(first..).unwrap_or_default();
        pieces.iter().map(|piece| piece.rows.len()).sum::<usize>() - within
    }

    fn seek(&self, id: u64) -> (usize, usize) {
        let first = self.pieces.partition_point(|piece| piece.last() <= id);
        let within = self
            .pieces
            .get(first)
            .map_or(0, |piece| piece.offsets.partition_point(|offset| piece.base + u64::from(*offset) <= id));
        (first, within)
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        let pieces = self.pieces.iter().map(|piece| (piece.offsets.capacity() + piece.rows.capacity()) * 4);
        pieces.sum::<usize>() + self.pieces.capacity() * size_of::<Piece>()
    }
}
