//! Archives, written from front to back.
//!
//! Each file is there whole when it is added, so its sizes stand before it and readers need no second look. Archives beyond
//! 65,535 files or 4 GiB get the larger index that readers have known since 2001. Same files, same bytes: no dates.
//!
//! Our own, because what is written here is three headers; a crate for it would bring a dozen more for what it can read.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

#[derive(Debug, Default)]
pub(super) struct Zip {
    /// The index of what was added; written at the end.
    index: Vec<u8>,
    files: u64,
    /// Bytes so far.
    offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As it is: for what is packed already.
    Stored,
    Deflated,
}

const LOCAL: u32 = 0x0403_4b50;
const INDEX: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;
/// Readers of version 2.0 know folders and deflate, those of 4.5 the larger index.
const VERSION: u16 = 20;
const VERSION_64: u16 = 45;
/// 1 January 1980, the first day there is.
const DATE: u16 = 0x0021;
/// The names and the comment are UTF-8.
const FLAGS: u16 = 0x0800;
const SEE_64: u32 = u32::MAX;
/// Where in a file's header its packed size stands.
const PACKED_AT: usize = 18;
/// Of the extra field that holds a place beyond 4 GiB.
const EXTRA_64: u16 = 1;

/// What both the header before a file and its line in the index say.
struct Entry<'a> {
    name: &'a str,
    method: Method,
    crc: u32,
    plain: u32,
    packed: u32,
}

impl Entry<'_> {
    /// Up to the name's length.
    fn write(&self, version: u16, out: &mut Vec<u8>) {
        short(version, out);
        short(FLAGS, out);
        short(if self.method == Method::Stored { 0 } else { 8 }, out);
        short(0, out);
        short(DATE, out);
        long(self.crc, out);
        long(self.packed, out);
        long(self.plain, out);
        short(self.name.len() as u16, out);
    }
}

impl Zip {
    /// `bytes`: less than 4 GiB.
    pub fn add(&mut self, name: &str, method: Method, bytes: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        let mut crc = Crc::new();
        crc.update(bytes);
        let mut entry = Entry { name, method, crc: crc.sum(), plain: size(bytes.len()), packed: 0 };
        long(LOCAL, out);
        entry.write(VERSION, out);
        short(0, out);
        out.extend_from_slice(name.as_bytes());
        let data = out.len();
        match method {
            Method::Stored => out.extend_from_slice(bytes),
            Method::Deflated => {
                let mut packer = DeflateEncoder::new(&mut *out, Compression::fast());
                packer.write_all(bytes).and_then(|()| packer.finish().map(drop)).expect("memory takes all");
            }
        }
        entry.packed = size(out.len() - data);
        out[begin + PACKED_AT..begin + PACKED_AT + 4].copy_from_slice(&entry.packed.to_le_bytes());
        self.list(&entry);
        self.offset += (out.len() - begin) as u64;
    }

    fn list(&mut self, entry: &Entry) {
        let near = u32::try_from(self.offset).ok().filter(|offset| *offset != SEE_64);
        let version = if near.is_some() { VERSION } else { VERSION_64 };
        let index = &mut self.index;
        long(INDEX, index);
        short(version, index);
        entry.write(version, index);
        short(if near.is_some() { 0 } else { 12 }, index);
        // No comment, first disk, no attributes.
        index.extend_from_slice(&[0; 10]);
        long(near.unwrap_or(SEE_64), index);
        index.extend_from_slice(entry.name.as_bytes());
        if near.is_none() {
            short(EXTRA_64, index);
            short(8, index);
            index.extend_from_slice(&self.offset.to_le_bytes());
        }
        self.files += 1;
    }

    /// After the last file. `comment`: at most 65,535 bytes.
    pub fn finish(&mut self, comment: &str, out: &mut Vec<u8>) {
        let (files, index_size, index_at) = (self.files, self.index.len() as u64, self.offset);
        out.append(&mut self.index);
        let fits = files < u64::from(u16::MAX) && index_at + index_size < u64::from(SEE_64);
        if !fits {
            out.extend_from_slice(&END_64.to_le_bytes());
            // What follows of this record.
            out.extend_from_slice(&44_u64.to_le_bytes());
            short(VERSION_64, out);
            short(VERSION_64, out);
            out.extend_from_slice(&[0; 8]);
            for value in [files, files, index_size, index_at] {
                out.extend_from_slice(&value.to_le_bytes());
            }
            out.extend_from_slice(&END_64_LOCATOR.to_le_bytes());
            long(0, out);
            out.extend_from_slice(&(index_at + index_size).to_le_bytes());
            long(1, out);
        }
        out.extend_from_slice(&END.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let files = if fits { files as u16 } else { u16::MAX };
        short(files, out);
        short(files, out);
        long(if fits { index_size as u32 } else { SEE_64 }, out);
        long(if fits { index_at as u32 } else { SEE_64 }, out);
        short(comment.len() as u16, out);
        out.extend_from_slice(comment.as_bytes());
    }
}

fn short(value: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn long(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a part of a file is bounded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(offset: u64) -> Vec<u8> {
        let (mut zip, mut out) = (Zip { offset, ..Zip::default() }, Vec::new());
        zip.add("a", Method::Stored, b"first", &mut out);
        zip.add("b", Method::Stored, b"second", &mut out);
        zip.finish("", &mut out);
        out
    }

    fn long_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn longest_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    #[test]
    fn what_fits_has_the_small_index() {
        let out = archive(0);
        let end = out.len() - 22;
        assert_eq!(long_at(&out, end), END);
        let index = long_at(&out, end + 16) as usize;
        assert_eq!((index, long_at(&out, index)), (30 + 1 + 5 + 30 + 1 + 6, INDEX));
        assert_eq!(long_at(&out, index + 47 + 42), 36, "where the second file begins");
    }

    /// Nobody wants four gigabytes in a test: the archive is told that they were written.
    #[test]
    fn what_lies_beyond_four_gigabytes_has_the_large_one() {
        let begin = u64::from(u32::MAX) - 36;
        let out = archive(begin);
        let end = out.len() - 22;
        assert_eq!((long_at(&out, end), long_at(&out, end + 16)), (END, SEE_64));
        let locator = end - 20;
        assert_eq!(long_at(&out, locator), END_64_LOCATOR);
        let end_64 = (longest_at(&out, locator + 8) - begin) as usize;
        assert_eq!((long_at(&out, end_64), end_64 + 56), (END_64, locator));
        assert_eq!((longest_at(&out, end_64 + 24), longest_at(&out, end_64 + 32)), (2, 2));
        let index = (longest_at(&out, end_64 + 48) - begin) as usize;
        assert_eq!(index as u64 + longest_at(&out, end_64 + 40), end_64 as u64);
        // The first file begins below the limit, the second exactly where its place means "look there".
        assert_eq!((long_at(&out, index), long_at(&out, index + 42)), (INDEX, u32::MAX - 36));
        let second = index + 47;
        assert_eq!((long_at(&out, second), long_at(&out, second + 42)), (INDEX, SEE_64));
        let extra = second + 47;
        assert_eq!(out[extra..extra + 4], [1, 0, 8, 0]);
        assert_eq!(longest_at(&out, extra + 4), u64::from(u32::MAX));
    }

    #[test]
    fn more_files_than_the_small_index_counts_have_the_large_one() {
        for (files, is_large) in [(65_534, false), (65_535, true), (65_536, true)] {
            let (mut zip, mut out) = (Zip::default(), Vec::new());
            (0..files).for_each(|_| zip.add("", Method::Stored, b"", &mut out));
            zip.finish("", &mut out);
            let end = out.len() - 22;
            let counted = u16::from_le_bytes([out[end + 10], out[end + 11]]);
            assert_eq!(counted, if is_large { u16::MAX } else { files as u16 });
            assert_eq!(long_at(&out, end - 20) == END_64_LOCATOR, is_large, "{files}");
            if is_large {
                assert_eq!(longest_at(&out, end - 20 - 56 + 32), files);
            }
        }
    }

    #[test]
    fn same_files_same_bytes() {
        assert_eq!(archive(0), archive(0));
    }
}
