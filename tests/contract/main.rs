//! The wire contract as it is compiled, against the copy in `offers.txt`. A difference is a decision: names, numbers and
//! types of what is there stay as they are, and what is new is added to the copy in the same commit
//! (`COMPTOIR_UPDATE_CONTRACT=1 cargo test --test contract` writes it).

use std::fmt::Write as _;
use std::path::Path;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/comptoir.bin"));

#[test]
fn what_callers_rely_on_is_as_it_was() {
    let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
    let mut listing = String::new();
    for file in set.file.iter().filter(|file| file.package() == "comptoir.v1") {
        for service in &file.service {
            for method in &service.method {
                let stream = |is_stream| if is_stream { "stream " } else { "" };
                let (input, output) = (short(method.input_type()), short(method.output_type()));
                let (asks, answers) = (stream(method.client_streaming()), stream(method.server_streaming()));
                writeln!(listing, "{}/{}({asks}{input}) {answers}{output}", service.name(), method.name()).unwrap();
            }
        }
        file.message_type.iter().for_each(|message| list_message(&mut listing, "", message));
        file.enum_type.iter().for_each(|values| list_enum(&mut listing, "", values));
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/offers.txt");
    if std::env::var_os("COMPTOIR_UPDATE_CONTRACT").is_some() {
        std::fs::write(&path, &listing).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let first = listing.lines().zip(kept.lines()).find(|(now, then)| now != then);
    assert!(listing == kept, "the contract changed, first here (now, then): {first:?}");
}

fn list_message(listing: &mut String, outer: &str, message: &DescriptorProto) {
    let name = format!("{outer}{}", message.name());
    for field in &message.field {
        let (number, field_name) = (field.number(), field.name());
        writeln!(listing, "{name}.{field_name} {number} {} {}", kind(field), field.json_name()).unwrap();
    }
    for range in &message.reserved_range {
        writeln!(listing, "{name} reserved {}", range.start()).unwrap();
    }
    let inner = format!("{name}.");
    message.enum_type.iter().for_each(|values| list_enum(listing, &inner, values));
    message.nested_type.iter().for_each(|nested| list_message(listing, &inner, nested));
}

fn list_enum(listing: &mut String, outer: &str, values: &EnumDescriptorProto) {
    for value in &values.value {
        writeln!(listing, "{outer}{}.{} {}", values.name(), value.name(), value.number()).unwrap();
    }
}

/// `optional string`, `repeated OfferLine`, …
fn kind(field: &FieldDescriptorProto) -> String {
    let label = match field.label() {
        Label::Repeated => "repeated ",
        _ if field.proto3_optional() => "optional ",
        _ => "",
    };
    let name = match field.r#type() {
        Type::Message | Type::Enum => short(field.type_name()).to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    format!("{label}{name}")
}

fn short(name: &str) -> &str {
    name.trim_start_matches(".comptoir.v1.").trim_start_matches('.')
}
