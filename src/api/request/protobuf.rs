//! The protobuf form of a request. Fields that are not in the contract are refused, as they are in JSON: a caller that knows
//! more than the gateway must hear that its wish is not heard.

use crate::api::proto::{GetOffersRequest, InvalidatePricesRequest};
use crate::api::status::{Fault, Refusal};
use bytes::Bytes;

/// The highest field numbers of the contract; a test holds them against the descriptors.
const REQUEST_FIELDS: u64 = 14;
const LINE_FIELDS: u64 = 4;
const LINES_FIELD: u64 = 13;
const INVALIDATION_FIELDS: u64 = 8;

/// Reads a message.
pub fn decode(message: Bytes) -> Result<GetOffersRequest, Refusal> {
    let unknown = first_unknown(&message);
    decode_unless(message, unknown)
}

/// Reads the message of an invalidation.
pub fn decode_invalidation(message: Bytes) -> Result<InvalidatePricesRequest, Refusal> {
    let mut rest = &message[..];
    let mut unknown = None;
    while let Some((number, _, tail)) = next_field(rest) {
        rest = tail;
        if number > INVALIDATION_FIELDS {
            unknown = Some(format!("#{number}"));
            break;
        }
    }
    decode_unless(message, unknown)
}

fn decode_unless<M: prost::Message + Default>(message: Bytes, unknown: Option<String>) -> Result<M, Refusal> {
    let request = M::decode(message).map_err(|error| Refusal::new(Fault::MalformedProtobuf, error.to_string()))?;
    match unknown {
        None => Ok(request),
        Some(path) => Err(Refusal::at(Fault::UnknownField, path, "there is no such field")),
    }
}

/// The first field that the contract does not know. What is malformed is left to the decoder to say.
fn first_unknown(message: &[u8]) -> Option<String> {
    let mut line = 0;
    let mut rest = message;
    while let Some((number, content, tail)) = next_field(rest) {
        rest = tail;
        if number > REQUEST_FIELDS {
            return Some(format!("#{number}"));
        }
        if number == LINES_FIELD {
            let mut fields = content;
            while let Some((number, _, tail)) = next_field(fields) {
                if number > LINE_FIELDS {
                    return Some(format!("lines[{line}].#{number}"));
                }
                fields = tail;
            }
            line += 1;
        }
    }
    None
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed,
}

/// A field's number, what it holds, and what follows it.
pub fn next_value(bytes: &[u8]) -> Option<(u64, Value<'_>, &[u8])> {
    let (tag, rest) = varint(bytes)?;
    let number = tag >> 3;
    match tag & 7 {
        0 => varint(rest).map(|(value, rest)| (number, Value::Number(value), rest)),
        1 => rest.split_at_checked(8).map(|(_, rest)| (number, Value::Fixed, rest)),
        2 => {
            let (length, rest) = varint(rest)?;
            let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((number, Value::Bytes(content), rest))
        }
        5 => rest.split_at_checked(4).map(|(_, rest)| (number, Value::Fixed, rest)),
        _ => None,
    }
}

/// A field's number, its content where that has a length, and what follows it.
fn next_field(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (number, value, rest) = next_value(bytes)?;
    Some((number, if let Value::Bytes(content) = value { content } else { &rest[..0] }, rest))
}

pub fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn the_field_numbers_are_those_of_the_descriptors() {
        let set = FileDescriptorSet::decode(crate::api::proto::DESCRIPTORS).unwrap();
        let ours = set.file.iter().filter(|file| file.package() == "comptoir.v1");
        let messages: Vec<_> = ours.flat_map(|file| &file.message_type).collect();
        let known = [
            ("GetOffersRequest", REQUEST_FIELDS),
            ("OfferLine", LINE_FIELDS),
            ("InvalidatePricesRequest", INVALIDATION_FIELDS),
        ];
        for (name, highest) in known {
            let message = messages.iter().find(|message| message.name() == name).unwrap();
            let mut numbers: Vec<u64> = message.field.iter().map(|field| field.number() as u64).collect();
            numbers.sort_unstable();
            assert_eq!(numbers, (1..=highest).collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn garbage_and_unknown_fields_are_refused() {
        let fault = |bytes: &'static [u8]| decode(Bytes::from_static(bytes)).map_err(|refusal| refusal.fault);
        assert!(fault(b"").is_ok());
        assert_eq!(fault(b"\xff\xff\xff"), Err(Fault::MalformedProtobuf));
        assert_eq!(fault(b"\x0a\x05ab"), Err(Fault::MalformedProtobuf));
        // Not UTF-8 where text is due.
        assert_eq!(fault(b"\x0a\x01\xff"), Err(Fault::MalformedProtobuf));
        assert_eq!(fault(b"\x78\x01"), Err(Fault::UnknownField));
        let refusal = decode_invalidation(Bytes::from_static(b"\x30\x01\x48\x01")).unwrap_err();
        assert_eq!((refusal.fault, refusal.path.as_deref()), (Fault::UnknownField, Some("#9")));
        let refusal = decode(Bytes::from_static(b"\x6a\x03\x0a\x01A\x6a\x02\x28\x01")).unwrap_err();
        assert_eq!(refusal.path.as_deref(), Some("lines[1].#5"));
    }
}
