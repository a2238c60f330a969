//! Amazon's feeds against the schema, which refuses what it should.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::rows::{config, one_of_each, row};
use super::{check_schema, folder, read, written};

fn schema() -> PathBuf {
    folder().join("amazon-listings-feed.schema.json")
}

fn passes(feed: &Value) -> bool {
    check_schema(&schema(), feed.to_string().as_bytes()).status.success()
}

fn feed() -> Value {
    let (_, bytes) = written("amazon-listings", &config(), &one_of_each());
    let output = check_schema(&schema(), &bytes);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    read("json", &bytes)
}

#[test]
fn a_feed_is_what_amazon_describes() {
    let feed = feed();
    assert!(passes(&feed));
    let message = &feed["messages"][0];
    assert_eq!((&message["sku"], &message["operationType"]), (&"BOLT-8".into(), &"PATCH".into()));
    assert_eq!(message["patches"][0]["value"][0]["quantity"], 420);
}

#[test]
fn the_schema_refuses_what_amazon_refuses() {
    let feed = feed();
    let quantity = "/messages/0/patches/0";
    let price = "/messages/0/patches/1";
    for (pointer, value) in [
        ("/messages/0/productType".into(), None),
        ("/messages/0/patches".into(), None),
        ("/messages/0/sku".into(), Some(json!(""))),
        ("/messages/0/messageId".into(), Some(json!(0))),
        ("/messages/0/messageId".into(), Some(json!(2_147_483_648_u64))),
        ("/messages/0/operationType".into(), Some(json!("PRICE"))),
        ("/messages/0/operationType".into(), Some(json!("DELETE"))),
        ("/header/version".into(), Some(json!("1.0"))),
        ("/header/sellerId".into(), None),
        ("/messages".into(), Some(json!([]))),
        (format!("{quantity}/value"), Some(json!({ "fulfillment_channel_code": "DEFAULT", "quantity": 1 }))),
        (format!("{quantity}/path"), Some(json!("/attributes/fulfillment_availability/0"))),
        (format!("{quantity}/value/0/quantity"), Some(json!("420"))),
        (format!("{quantity}/value/0/quantity"), Some(json!(-1))),
        (format!("{price}/path"), Some(json!("/attributes/purchaseable_offer"))),
        (format!("{price}/value/0/our_price/0/schedule/0/value_with_tax"), Some(json!("12.30"))),
        (format!("{price}/value/0/marketplace_id"), None),
    ] {
        let pointer: String = pointer;
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut spoiled = feed.clone();
        let parent = spoiled.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value.clone() {
            Some(value) => parent.insert(name.into(), value),
            None => parent.remove(name),
        };
        assert!(!passes(&spoiled), "{pointer} as {value:?} should not pass");
    }
}

#[test]
fn feeds_in_an_archive_pass_each() {
    let mut config = config();
    config.formats.amazon.as_mut().unwrap().messages_max = 2;
    let rows: Vec<_> = (0..5).map(|n| row(&format!("SKU-{n}"), n + 1)).collect();
    let (file, bytes) = written("amazon-listings", &config, &rows);
    assert_eq!(file.media().extension, "zip");
    let feeds = read("feeds", &bytes);
    let feeds = feeds.as_object().unwrap();
    assert_eq!(feeds.keys().collect::<Vec<_>>(), ["feed-00001.json", "feed-00002.json", "feed-00003.json"]);
    assert!(feeds.values().all(passes));
    assert_eq!(feeds["feed-00003.json"]["messages"][0]["messageId"], 1);
}
