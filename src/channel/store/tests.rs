//! Checkpoints beside a journal.

use super::*;
use crate::channel::event::Event;
use crate::channel::pack::pack_events;

fn record(number: u64) -> Vec<u8> {
    let mut out = Packer::default();
    pack_events("shop", [&Event::Started { random: number, watermark: number }].into_iter(), &mut out);
    out.0
}

fn open(folder: &Path) -> Result<(Store, Vec<u64>), StoreError> {
    let mut read = Vec::new();
    let store = Store::open(folder, |record| {
        let Record::Channel(_, events) = record else { panic!("{record:?}") };
        for event in events {
            if let Event::Started { random, .. } = event {
                read.push(random);
            }
        }
    })?;
    Ok((store, read))
}

fn put(store: &mut Store, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        store.put(&record(number)).unwrap();
    }
    store.commit().unwrap();
}

#[test]
fn a_start_reads_the_checkpoint_and_what_came_since_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = open(folder.path()).unwrap();
    store.set_checkpoint_bytes_min(50);
    put(&mut store, 1..=5);
    assert!(store.is_checkpoint_due());
    store.begin_checkpoint().unwrap();
    assert!(!store.is_checkpoint_due() && store.is_writing());
    store.put_in_checkpoint(&record(100)).unwrap();
    put(&mut store, 6..=6);
    store.put_in_checkpoint(&record(101)).unwrap();
    drop(store);
    // It was never finished.
    let (mut store, read) = open(folder.path()).unwrap();
    assert_eq!(read, [1, 2, 3, 4, 5, 6]);
    store.set_checkpoint_bytes_min(50);
    store.begin_checkpoint().unwrap();
    store.put_in_checkpoint(&record(100)).unwrap();
    put(&mut store, 7..=8);
    store.end_checkpoint().unwrap();
    put(&mut store, 9..=9);
    drop(store);
    let (mut store, read) = open(folder.path()).unwrap();
    assert_eq!(read, [100, 7, 8, 9]);
    store.begin_checkpoint().unwrap();
    store.put_in_checkpoint(&record(200)).unwrap();
    store.end_checkpoint().unwrap();
    drop(store);
    assert_eq!(open(folder.path()).unwrap().1, [200]);
    let folders = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(folders, 3, "a journal, one checkpoint, and where it ends");
}

#[test]
fn a_checkpoint_that_lost_its_end_is_named_and_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = open(folder.path()).unwrap();
    store.begin_checkpoint().unwrap();
    store.put_in_checkpoint(&record(1)).unwrap();
    store.put_in_checkpoint(&record(2)).unwrap();
    store.end_checkpoint().unwrap();
    drop(store);
    let path = crate::journal::group::segment_path(&rows_folder(folder.path(), 1), 1);
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        fs::write(&path, &bytes[..at]).unwrap();
        assert_eq!(open(folder.path()).unwrap_err().reason(), "storage_damaged", "cut at {at}");
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(open(folder.path()).unwrap().1, [1, 2]);
    fs::remove_dir_all(journal_folder(folder.path())).unwrap();
    assert_eq!(open(folder.path()).unwrap_err().reason(), "storage_damaged", "rows without their journal");
}
