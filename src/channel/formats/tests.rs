//! What holds for every format. Goldens, and what other programs read of the files, are in `tests/channels`.

mod amazon;
mod offers;
mod rows;
mod separated;

use std::sync::Arc;

use super::*;
use crate::channel::row::{ChannelRow, RowState};

const STAMP: FileStamp = FileStamp { channel: "shop", cursor: "aAbC", watermark: 42 };

fn written(format: &'static Format, config: &ChannelConfig, rows: &[ChannelRow]) -> (File, Vec<u8>) {
    let rows: Vec<Arc<ChannelRow>> = rows.iter().cloned().map(Arc::new).collect();
    let (mut file, mut out) = (format.open(config).unwrap(), Vec::new());
    file.begin(&STAMP, &mut out);
    for chunk in rows.chunks(3) {
        file.rows(chunk, &mut out);
    }
    file.end(&mut out);
    (file, out)
}

fn text(format: &'static Format, config: &ChannelConfig, rows: &[ChannelRow]) -> String {
    String::from_utf8(written(format, config, rows).1).unwrap()
}

#[test]
fn names_are_for_addresses_and_each_is_one_format() {
    for (index, format) in ALL.iter().enumerate() {
        assert!(
            format.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{}",
            format.name
        );
        assert_eq!(ALL.iter().position(|other| other.name == format.name), Some(index));
        assert!(by_name(format.name).is_some());
    }
    assert!(by_name("CSV").is_none() && by_name("").is_none());
}

#[test]
fn a_file_is_named_by_where_it_was_cut() {
    let (file, _) = written(by_name("csv").unwrap(), &ChannelConfig::named("shop"), &[]);
    assert_eq!(file.name(&STAMP), "shop-csv-00000000000000000042.csv");
}

#[test]
fn what_left_the_channel_is_a_zero() {
    let removed = ChannelRow { state: RowState::Removed, quantity: None, ..rows::row("A") };
    let zeroed = ChannelRow { state: RowState::Zeroed, ..rows::row("B") };
    let (file, _) = written(by_name("csv").unwrap(), &ChannelConfig::named("shop"), &[removed, zeroed, rows::row("C")]);
    assert_eq!((file.tally().rows, file.tally().zeros), (3, 2));
    assert_eq!(file.tally().facts(7), FileFacts { rows: 3, zeros: 2, watermark: 7 });
}
