//! Where a feed ends.

use std::io::Read as _;

use serde_json::Value;

use super::offers::config;
use super::rows::row;
use super::*;

fn amazon(config: &ChannelConfig, rows: usize) -> (File, Vec<u8>) {
    let rows: Vec<ChannelRow> = (0..rows).map(|n| row(&format!("SKU-{n:06}"))).collect();
    written(by_name("amazon-listings").unwrap(), config, &rows)
}

/// The files of an archive, read by its index.
fn unpacked(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let short = |at: usize| usize::from(u16::from_le_bytes(archive[at..at + 2].try_into().unwrap()));
    let long = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
    let end = archive.len() - 22 - STAMP.cursor.len();
    assert_eq!((long(end), &archive[end + 22..]), (0x0605_4b50, STAMP.cursor.as_bytes()), "the comment is the cursor");
    let mut at = long(end + 16);
    let mut files = Vec::new();
    for _ in 0..short(end + 10) {
        let (packed, name, local) = (long(at + 20), short(at + 28), long(at + 42));
        let data = local + 30 + name;
        let mut bytes = Vec::new();
        flate2::read::DeflateDecoder::new(&archive[data..data + packed]).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), long(at + 24));
        files.push((String::from_utf8(archive[at + 46..at + 46 + name].to_vec()).unwrap(), bytes));
        at += 46 + name;
    }
    files
}

/// Message numbers begin at one in every feed, and no SKU is lost or said twice.
fn check(files: &[(String, Vec<u8>)], rows: usize, config: &ChannelConfig) {
    let settings = config.formats.amazon.as_ref().unwrap();
    let mut skus = Vec::new();
    for (index, (name, bytes)) in files.iter().enumerate() {
        assert_eq!(*name, format!("feed-{:05}.json", index + 1));
        assert!(bytes.len() <= settings.bytes_max);
        let feed: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(feed["header"]["sellerId"], "A1SELLER");
        let messages = feed["messages"].as_array().unwrap();
        assert!(messages.len() <= settings.messages_max);
        for (number, message) in messages.iter().enumerate() {
            assert_eq!(message["messageId"], number + 1);
            skus.push(message["sku"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(skus, (0..rows).map(|n| format!("SKU-{n:06}")).collect::<Vec<_>>());
}

#[test]
fn the_message_after_the_last_begins_another_feed() {
    let mut config = config();
    config.formats.amazon.as_mut().unwrap().messages_max = 10;
    for rows in [0, 1, 9, 10] {
        let (file, bytes) = amazon(&config, rows);
        assert_eq!(file.media().extension, "json", "{rows}");
        check(&[("feed-00001.json".into(), bytes)], rows, &config);
    }
    for (rows, feeds) in [(11, 2), (20, 2), (21, 3), (105, 11)] {
        let (file, bytes) = amazon(&config, rows);
        assert_eq!(file.media(), ZIP);
        assert_eq!(file.name(&STAMP), "shop-amazon-listings-00000000000000000042.zip");
        let files = unpacked(&bytes);
        assert_eq!(files.len(), feeds, "{rows}");
        check(&files, rows, &config);
        assert_eq!(file.tally().rows, rows as u64);
    }
}

#[test]
fn the_byte_after_the_last_begins_another_feed() {
    let mut config = config();
    let (_, whole) = amazon(&config, 40);
    config.formats.amazon.as_mut().unwrap().bytes_max = whole.len();
    let (file, bytes) = amazon(&config, 40);
    assert_eq!((file.media().extension, bytes), ("json", whole.clone()));
    config.formats.amazon.as_mut().unwrap().bytes_max = whole.len() - 1;
    let (file, bytes) = amazon(&config, 40);
    assert_eq!(file.media(), ZIP);
    let files = unpacked(&bytes);
    check(&files, 40, &config);
    let counts: Vec<usize> = files.iter().map(|(_, feed)| feed.iter().filter(|byte| **byte == b'\n').count()).collect();
    assert_eq!(counts, [39, 1]);
}

#[test]
fn a_limit_that_no_message_fits_is_not_the_rows_fault() {
    let mut config = config();
    config.formats.amazon.as_mut().unwrap().bytes_max = 1;
    let (file, bytes) = amazon(&config, 3);
    assert_eq!((file.tally().rows, unpacked(&bytes).len()), (3, 3));
}

#[test]
fn nothing_comes_before_it_is_known_what_it_is() {
    let mut config = config();
    config.formats.amazon.as_mut().unwrap().messages_max = 2;
    let rows: Vec<_> = (0..3).map(|n| Arc::new(row(&format!("SKU-{n:06}")))).collect();
    let (mut file, mut out) = (by_name("amazon-listings").unwrap().open(&config).unwrap(), Vec::new());
    file.begin(&STAMP, &mut out);
    file.rows(&rows[..2], &mut out);
    assert!(out.is_empty());
    file.rows(&rows[2..], &mut out);
    assert!(!out.is_empty() && file.media() == ZIP);
}
