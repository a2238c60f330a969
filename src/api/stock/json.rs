//! The messages of the stock service in canonical JSON.

use crate::api::encode::put_text;
use crate::api::proto::{self, measure, source_state, verdict};
use crate::clock::Timestamp;

/// An object that is being written.
struct Object<'a> {
    json: &'a mut Vec<u8>,
    empty: bool,
}

fn object(json: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    json.push(b'{');
    let mut object = Object { json, empty: true };
    fill(&mut object);
    json.push(b'}');
}

/// A message on its own.
fn whole(fill: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut json = Vec::new();
    object(&mut json, fill);
    json
}

impl Object<'_> {
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.json.extend_from_slice(if self.empty { b"\"" } else { b",\"" });
        self.empty = false;
        self.json.extend_from_slice(name.as_bytes());
        self.json.extend_from_slice(b"\":");
        self.json
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            put_text(self.key(name), text);
        }
    }

    /// A text that is left out where it is empty.
    fn plain(&mut self, name: &str, text: &str) {
        self.text(name, Some(text).filter(|text| !text.is_empty()));
    }

    /// 64-bit integers are strings.
    fn number(&mut self, name: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.key(name).extend_from_slice(format!("\"{number}\"").as_bytes());
        }
    }

    fn flag(&mut self, name: &str, flag: Option<bool>) {
        if let Some(flag) = flag {
            self.key(name).extend_from_slice(if flag { b"true" } else { b"false" });
        }
    }

    fn instant(&mut self, name: &str, at: Option<&prost_types::Timestamp>) {
        if let Some(at) = at {
            let at = Timestamp(at.seconds * 1000 + i64::from(at.nanos / 1_000_000));
            self.key(name).extend_from_slice(format!("\"{at}\"").as_bytes());
        }
    }

    fn list<T>(&mut self, name: &str, items: &[T], mut fill: impl FnMut(&mut Object<'_>, &T)) {
        if items.is_empty() {
            return;
        }
        let json = self.key(name);
        json.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            object(json, |object| fill(object, item));
        }
        json.push(b']');
    }

    fn verdict(&mut self, number: i32) {
        let named = verdict::Value::try_from(number).ok().filter(|value| *value != verdict::Value::Unspecified);
        self.text("verdict", named.map(|value| value.as_str_name()));
    }
}

pub fn pushed(message: &proto::PushChangesResponse) -> Vec<u8> {
    whole(|json| {
        json.list("results", &message.results, |json, result| {
            json.verdict(result.verdict);
            json.text("reason", result.reason.as_deref());
            json.text("detail", result.detail.as_deref());
            json.number("changeId", result.change_id);
            if let Some(original) = &result.original {
                object(json.key("original"), |json| {
                    json.verdict(original.verdict);
                    json.text("reason", original.reason.as_deref());
                    json.number("changeId", original.change_id);
                });
            }
            json.number("expectedSequence", result.expected_sequence);
            json.number("line", result.line);
        });
        json.number("lastSequence", message.last_sequence);
        json.number("applied", message.applied);
        json.number("rejected", message.rejected);
        json.number("expectedSequence", message.expected_sequence);
        json.number("credits", message.credits);
    })
}

pub fn snapshot(message: &proto::PutSnapshotResponse) -> Vec<u8> {
    whole(|json| {
        json.number("rows", message.rows);
        json.number("rejected", message.rejected);
        json.number("changed", message.changed);
        json.number("zeroed", message.zeroed);
        json.number("lastSequence", message.last_sequence);
        json.flag("dryRun", message.dry_run);
        json.list("rejects", &message.rejects, |json, reject| {
            json.number("line", Some(reject.line));
            json.plain("reason", &reject.reason);
            json.plain("detail", &reject.detail);
        });
    })
}

pub fn source(message: &proto::StockSource) -> Vec<u8> {
    whole(|json| put_source(json, message))
}

pub fn sources(message: &proto::ListSourcesResponse) -> Vec<u8> {
    whole(|json| json.list("sources", &message.sources, put_source))
}

fn put_source(json: &mut Object<'_>, message: &proto::StockSource) {
    json.plain("source", &message.source);
    json.text("epoch", message.epoch.as_deref());
    json.number("lastSequence", message.last_sequence);
    let state = source_state::Value::try_from(message.state).ok();
    let state = state.filter(|state| *state != source_state::Value::Unspecified);
    json.text("state", state.map(|state| state.as_str_name()));
    json.instant("lastHeardAt", message.last_heard_at.as_ref());
    json.instant("gapSince", message.gap_since.as_ref());
    json.number("rate", message.rate);
    json.list("rejects", &message.rejects, |json, reject| {
        json.instant("at", reject.at.as_ref());
        json.verdict(reject.verdict);
        json.plain("reason", &reject.reason);
        json.plain("detail", &reject.detail);
        json.number("sequence", reject.sequence);
        json.text("eventId", reject.event_id.as_deref());
        json.text("sku", reject.sku.as_deref());
        json.text("location", reject.location.as_deref());
    });
}

pub fn levels(message: &proto::GetLevelsResponse) -> Vec<u8> {
    whole(|json| {
        json.list("levels", &message.levels, |json, level| {
            json.plain("sku", &level.sku);
            json.plain("location", &level.location);
            let measure = measure::Value::try_from(level.measure).ok();
            let measure = measure.filter(|measure| *measure != measure::Value::Unspecified);
            json.text("measure", measure.map(|measure| measure.as_str_name()));
            json.text("row", level.row.as_deref());
            json.plain("quantity", &level.quantity);
            json.text("expectedOn", level.expected_on.as_deref());
            json.instant("changedAt", level.changed_at.as_ref());
            json.flag("suspect", level.suspect);
            json.instant("expiresAt", level.expires_at.as_ref());
            json.plain("source", &level.source);
        });
    })
}

#[cfg(test)]
mod tests {
    //! Random messages, read back by another implementation of the mapping.

    use proptest::collection::vec;
    use proptest::option::of;
    use proptest::prelude::*;
    use prost::Message;
    use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

    use super::*;

    /// Fails unless the JSON is that message, written as it is everywhere.
    fn is_canonical<M: Message + Default + PartialEq + std::fmt::Debug>(name: &str, message: &M, json: &[u8]) {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let descriptor = pool.get_message_by_name(&format!("comptoir.v1.{name}")).unwrap();
        let mut reader = serde_json::Deserializer::from_slice(json);
        let read = DynamicMessage::deserialize(descriptor, &mut reader).unwrap();
        reader.end().unwrap();
        assert_eq!(&read.transcode_to::<M>().unwrap(), message);
        let mut printed = Vec::new();
        read.serialize_with_options(&mut serde_json::Serializer::new(&mut printed), &SerializeOptions::new()).unwrap();
        let (ours, theirs): (serde_json::Value, serde_json::Value) =
            (serde_json::from_slice(json).unwrap(), serde_json::from_slice(&printed).unwrap());
        assert_eq!(ours, theirs);
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![Just(String::new()), "[A-Z]{1,4}-[0-9]{1,3}", "\\PC{1,12}", "[\\x00-\\x7f]{0,8}"]
    }

    fn number() -> impl Strategy<Value = Option<u64>> {
        of(prop_oneof![Just(0), 1..100_u64, Just(u64::MAX)])
    }

    fn at() -> impl Strategy<Value = Option<prost_types::Timestamp>> {
        let nanos = prop_oneof![Just(0), (0..1000).prop_map(|milliseconds| milliseconds * 1_000_000)];
        of((0..4_000_000_000_i64, nanos).prop_map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos }))
    }

    prop_compose! {
        fn result()(verdict in 0..=6, reason in of(text()), detail in of(text()), change_id in number(),
            original in of((0..=6, of(text()), number())), expected_sequence in number(), line in number(),
        ) -> proto::ChangeResult {
            let original = original.map(|(verdict, reason, change_id)| proto::OriginalResult { verdict, reason, change_id });
            proto::ChangeResult { verdict, reason, detail, change_id, original, expected_sequence, line }
        }
    }

    prop_compose! {
        fn reject()(at in at(), verdict in 0..=6, reason in text(), detail in text(), sequence in number(),
            event_id in of(text()), sku in of(text()), location in of(text()),
        ) -> proto::RecentReject {
            proto::RecentReject { at, verdict, reason, detail, sequence, event_id, sku, location }
        }
    }

    prop_compose! {
        fn a_source()(source in text(), epoch in of(text()), last_sequence in number(), state in 0..=4,
            last_heard_at in at(), gap_since in at(), rate in number(), rejects in vec(reject(), 0..3),
        ) -> proto::StockSource {
            proto::StockSource { source, epoch, last_sequence, state, last_heard_at, gap_since, rate, rejects }
        }
    }

    prop_compose! {
        fn level()(sku in text(), location in text(), measure in 0..=5, row in of(text()), quantity in text(),
            expected_on in of(text()), changed_at in at(), suspect in of(any::<bool>()), expires_at in at(), source in text(),
        ) -> proto::StockLevel {
            proto::StockLevel {
                sku, location, measure, row, quantity, expected_on, changed_at, suspect, expires_at, source,
            }
        }
    }

    proptest! {
        #[test]
        fn pushes(results in vec(result(), 0..4), last_sequence in number(), applied in number(), rejected in number(),
            expected_sequence in number(), credits in number(),
        ) {
            let message =
                proto::PushChangesResponse { results, last_sequence, applied, rejected, expected_sequence, credits };
            is_canonical("PushChangesResponse", &message, &pushed(&message));
        }

        #[test]
        fn snapshots(numbers in vec(number(), 5), dry_run in of(any::<bool>()),
            rejects in vec((1..100_u64, text(), text()), 0..3),
        ) {
            let rejects = rejects.into_iter().map(|(line, reason, detail)| proto::RejectedRow { line, reason, detail });
            let message = proto::PutSnapshotResponse {
                rows: numbers[0],
                rejected: numbers[1],
                changed: numbers[2],
                zeroed: numbers[3],
                last_sequence: numbers[4],
                dry_run,
                rejects: rejects.collect(),
            };
            is_canonical("PutSnapshotResponse", &message, &snapshot(&message));
        }

        #[test]
        fn lists_of_sources(list in vec(a_source(), 0..3)) {
            for message in &list {
                is_canonical("StockSource", message, &source(message));
            }
            let message = proto::ListSourcesResponse { sources: list };
            is_canonical("ListSourcesResponse", &message, &sources(&message));
        }

        #[test]
        fn lists_of_levels(list in vec(level(), 0..3)) {
            let message = proto::GetLevelsResponse { levels: list };
            is_canonical("GetLevelsResponse", &message, &levels(&message));
        }
    }
}
