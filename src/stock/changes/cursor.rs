//! Where a reader stands, and whether this log is the one that told them so.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A place to read on from; opaque to readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Who issued it.
    pub(super) incarnation: u64,
    /// Every row up to here was handed out.
    pub(super) all: u64,
    /// And every urgent one up to here.
    pub(super) urgent: u64,
    /// The watermark when it was issued.
    pub(super) seen: u64,
}

impl Cursor {
    /// Whether everything up to this watermark is known to who stands here.
    pub fn reaches(&self, watermark: u64) -> bool {
        self.all >= watermark
    }

    /// Every row whose last change is up to here was handed out, and more may have been.
    pub fn position(&self) -> u64 {
        self.all
    }

    /// The watermark when it was issued.
    pub fn seen(&self) -> u64 {
        self.seen
    }
}

/// The text is not a cursor of any log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor: give back the whole text as it was received")]
pub struct MalformedCursor;

/// Another way of writing one would begin otherwise.
const MARK: &str = "a";
/// Four numbers and a check: a text that lost a letter on its way is not taken for another place.
const BYTES: usize = 36;
const CHECKED: usize = 32;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.all.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.urgent.to_be_bytes());
        bytes[24..CHECKED].copy_from_slice(&self.seen.to_be_bytes());
        let check = check_of(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(&check);
        write!(f, "{MARK}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = MalformedCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix(MARK).filter(|text| text.len() <= BYTES * 2).ok_or(MalformedCursor)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedCursor)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| MalformedCursor)?;
        if check_of(&bytes[..CHECKED]) != bytes[CHECKED..] {
            return Err(MalformedCursor);
        }
        let number = |from: usize| u64::from_be_bytes(std::array::from_fn(|index| bytes[from + index]));
        Ok(Self { incarnation: number(0), all: number(8), urgent: number(16), seen: number(24) })
    }
}

fn check_of(bytes: &[u8]) -> [u8; 4] {
    // FNV-1a, folded.
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    ((hash ^ (hash >> 32)) as u32).to_be_bytes()
}

/// The starts of a log, so that it knows its own cursors. Each start has a random id of its own. A data folder that was put
/// back from a copy does not know the starts after the copy was made, nor how far the one it was made in came: their cursors
/// are told apart from its own also when it has long grown past them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(Vec<Start>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    id: u64,
    /// The watermark it began with.
    watermark: u64,
}

/// Starts that are remembered. Readers who were away for longer read everything again.
const STARTS_MAX: usize = 16_384;

impl History {
    /// As it was kept. `None`: these bytes are not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let (starts, []) = numbers.as_chunks::<2>() else { return None };
        let read = |[id, watermark]: &[[u8; 8]; 2]| Start {
            id: u64::from_le_bytes(*id),
            watermark: u64::from_le_bytes(*watermark),
        };
        Some(Self(starts.iter().map(read).collect()))
    }

    /// To be kept, durably, before the log hands out a cursor.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|start| [start.id.to_le_bytes(), start.watermark.to_le_bytes()]).flatten().collect()
    }

    /// Begins anew at this watermark, under an id nobody else will choose.
    pub fn start(&mut self, random: u64, watermark: u64) {
        self.0.push(Start { id: random, watermark });
        let over = self.0.len().saturating_sub(STARTS_MAX);
        self.0.drain(..over);
    }

    pub(super) fn current(&self) -> u64 {
        self.0.last().map_or(0, |start| start.id)
    }

    /// How far the start that issued this came.
    pub(super) fn end_of(&self, incarnation: u64, watermark: u64) -> Option<u64> {
        let at = self.0.iter().rposition(|start| start.id == incarnation)?;
        Some(self.0.get(at + 1).map_or(watermark, |next| next.watermark))
    }
}
