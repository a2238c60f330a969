//! One record: its length, a checksum of its bytes, a checksum of these two, and the bytes.
//!
//! The head has a checksum of its own, so that a damaged length is not taken for an end that was never finished.

/// Length, checksum, checksum of both.
pub const HEAD_BYTES: usize = 12;

/// The longest record its length can say. That of a snapshot is one, of some 60 bytes a row: it happened whole or not at all.
pub const RECORD_BYTES_MAX: usize = u32::MAX as usize;

const CHANGED: &str = "the bytes of a record are not as they were written";

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed<'a> {
    /// A record, and what follows it.
    Record(&'a [u8], &'a [u8]),
    /// Nothing more.
    End,
    /// The beginning of a record whose writing never came to its end.
    Torn,
    Damaged(&'static str),
}

/// Appends a record to `buffer`.
pub fn put(buffer: &mut Vec<u8>, record: &[u8]) {
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&length);
    head[4..8].copy_from_slice(&checksum(&[record]).to_le_bytes());
    let own = checksum(&[&head[..8]]);
    head[8..].copy_from_slice(&own.to_le_bytes());
    buffer.extend_from_slice(&head);
    buffer.extend_from_slice(record);
}

/// Reads what stands at the beginning of `bytes`, which go on to the end of the file.
pub fn take(bytes: &[u8]) -> Framed<'_> {
    if bytes.is_empty() {
        return Framed::End;
    }
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Framed::Torn };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if checksum(&[&head[..8]]) != word(8) {
        // Where a file grew before its bytes were written there are zeros to its end.
        return if bytes.iter().all(|byte| *byte == 0) {
            Framed::Torn
        } else {
            Framed::Damaged("the head of a record is not as it was written")
        };
    }
    let length = word(0) as usize;
    let Some((record, rest)) = rest.split_at_checked(length) else { return Framed::Torn };
    if checksum(&[record]) != word(4) {
        return if rest.is_empty() && ends_unwritten(record) { Framed::Torn } else { Framed::Damaged(CHANGED) };
    }
    Framed::Record(record, rest)
}

/// Whether at least the last sector of a record is zeros: the file grew, and the crash came before the bytes.
fn ends_unwritten(record: &[u8]) -> bool {
    const SECTOR: usize = 512;
    record.len() >= SECTOR && record[record.len() - SECTOR..].iter().all(|byte| *byte == 0)
}

/// CRC-32C (Castagnoli) over parts that follow each other, eight bytes at a time.
pub fn checksum(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for part in parts {
        let (eights, rest) = part.as_chunks::<8>();
        for eight in eights {
            let [a, b, c, d, e, f, g, h] = *eight;
            let low = crc ^ u32::from_le_bytes([a, b, c, d]);
            let [a, b, c, d] = low.to_le_bytes().map(usize::from);
            crc = TABLES[7][a]
                ^ TABLES[6][b]
                ^ TABLES[5][c]
                ^ TABLES[4][d]
                ^ TABLES[3][usize::from(e)]
                ^ TABLES[2][usize::from(f)]
                ^ TABLES[1][usize::from(g)]
                ^ TABLES[0][usize::from(h)];
        }
        for byte in rest {
            crc = TABLES[0][usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8);
        }
    }
    !crc
}

static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standards_one() {
        // RFC 3720, B.4.
        assert_eq!(checksum(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(checksum(&[&[0xff; 32]]), 0x62a8_ab43);
        let counting: Vec<u8> = (0..32).collect();
        assert_eq!(checksum(&[&counting]), 0x46dd_794e);
        assert_eq!(checksum(&[b"1234", b"56789"]), 0xe306_9283);
    }

    #[test]
    fn a_record_comes_back() {
        let mut buffer = Vec::new();
        put(&mut buffer, b"one");
        put(&mut buffer, b"");
        let Framed::Record(b"one", rest) = take(&buffer) else { panic!("the first") };
        assert_eq!(take(rest), Framed::Record(b"", b""));
    }

    #[test]
    fn a_file_that_grew_before_its_bytes_came_ends_there() {
        assert_eq!(take(&[0; 100]), Framed::Torn);
        let mut buffer = Vec::new();
        put(&mut buffer, &[7; 2000]);
        let end = buffer.len();
        buffer[end - 600..].fill(0);
        assert_eq!(take(&buffer), Framed::Torn);
        buffer.push(1);
        assert_eq!(take(&buffer), Framed::Damaged(CHANGED));
    }
}
