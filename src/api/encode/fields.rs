//! The names of the offers' messages on both wires. A test holds them against the descriptors.

use super::sink::{fields, names};

fields! {
    response { PARTY = 1 "party", POLICY = 2 "policy", ANSWERED_AT = 3 "answeredAt", OFFERS = 4 "offers" }
    record {
        INDEX = 1 "index", OFFER = 2 "offer", PARTY = 3 "party", POLICY = 4 "policy", DONE = 5 "done",
        ANSWERED = 6 "answered", ANSWERED_AT = 7 "answeredAt",
    }
    explanation { PARTY = 1 "party", POLICY = 2 "policy", ANSWERED_AT = 3 "answeredAt", OFFER = 4 "offer", STEPS = 5 "steps" }
    step { ABOUT = 1 "about", TEXT = 2 "text", FACTS = 3 "facts" }
    step_fact { NAME = 1 "name", VALUE = 2 "value" }
    party {
        CUSTOMER = 1 "customer", COMPANY = 2 "company", SHIP_TO = 3 "shipTo", CONTRACT = 4 "contract",
        CURRENCY = 5 "currency", PRICE_DATE = 6 "priceDate", ORDER_BLOCK = 7 "orderBlock",
    }
    policy { MAX_AGE = 1 "maxAge", STALE_IF_ERROR = 2 "staleIfError" }
    offer {
        SKU = 1 "sku", REFERENCE = 2 "reference", QUANTITY = 3 "quantity", UNIT = 4 "unit", BASE_UNIT = 5 "baseUnit",
        UNIT_FACTOR = 6 "unitFactor", STATUS = 7 "status", REASON = 8 "reason", PRICE = 9 "price", TERMS = 10 "terms",
        AVAILABILITY = 11 "availability",
    }
    price {
        STATUS = 1 "status", REASON = 2 "reason", CURRENCY = 3 "currency", LIST_PRICE = 4 "listPrice",
        NET_PRICE = 5 "netPrice", BASE_QUANTITY = 6 "baseQuantity", TAX_BASIS = 7 "taxBasis", TAX_RATE = 8 "taxRate",
        BREAKS = 9 "breaks", COMPONENTS = 10 "components", VALID_FROM = 11 "validFrom", VALID_UNTIL = 12 "validUntil",
        NET_AMOUNT = 13 "netAmount", FRESHNESS = 14 "freshness",
    }
    price_break { MIN_QUANTITY = 1 "minQuantity", NET_PRICE = 2 "netPrice" }
    component { KIND = 1 "kind", CODE = 2 "code", LABEL = 3 "label", AMOUNT = 4 "amount", INCLUDED = 5 "included" }
    terms {
        MIN_ORDER_QUANTITY = 1 "minOrderQuantity", ORDER_MULTIPLE = 2 "orderMultiple",
        ORDER_QUANTITY = 3 "orderQuantity", BACKORDER_ALLOWED = 4 "backorderAllowed",
        LEAD_TIME_DAYS = 5 "leadTimeDays",
    }
    availability {
        STATUS = 1 "status", REASON = 2 "reason", BAND = 3 "band", AVAILABLE = 4 "available",
        AVAILABLE_ON = 5 "availableOn", LOCATIONS = 6 "locations", INCOMING = 7 "incoming", FRESHNESS = 8 "freshness",
    }
    location {
        LOCATION = 1 "location", STATUS = 2 "status", ON_HAND = 3 "onHand", RESERVED = 4 "reserved",
        AVAILABLE = 5 "available", FRESHNESS = 6 "freshness",
    }
    incoming { LOCATION = 1 "location", QUANTITY = 2 "quantity", EXPECTED_ON = 3 "expectedOn" }
    freshness {
        SOURCE = 1 "source", OBSERVED_AT = 2 "observedAt", EXPIRES_AT = 3 "expiresAt", STALE = 4 "stale",
        REASON = 5 "reason", CHANGED_AT = 6 "changedAt",
    }
}

names! {
    order_block { NONE = 1, BLOCKED = 2 }
    offer_status { OK = 1, ON_REQUEST = 2, UNAVAILABLE = 3, UNKNOWN_SKU = 4, NOT_FOR_SALE = 5, INVALID = 6 }
    price_status { OK = 1, ON_REQUEST = 2, UNAVAILABLE = 3 }
    tax_basis { NET = 1, GROSS = 2 }
    availability_status { OK = 1, UNAVAILABLE = 2, UNTRACKED = 3 }
    band { IN_STOCK = 1, LOW = 2, OUT = 3, ON_ORDER = 4 }
    location_status { UNKNOWN = 1 }
    source { ERP = 1, MEMORY = 2, SHARED = 3, LEDGER = 4 }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::super::sink::{Field, Name};
    use super::*;

    #[test]
    fn every_name_is_the_one_in_the_descriptors() {
        let set = FileDescriptorSet::decode(crate::api::proto::DESCRIPTORS).unwrap();
        let file = set.file.iter().find(|file| file.package() == "comptoir.v1").unwrap();
        let message = |name: &str| file.message_type.iter().find(|message| message.name() == name).unwrap();
        let fields: [(&str, &[Field]); 16] = [
            ("GetOffersResponse", response::ALL),
            ("StreamOffersResponse", record::ALL),
            ("ExplainOfferResponse", explanation::ALL),
            ("Step", step::ALL),
            ("StepFact", step_fact::ALL),
            ("Party", party::ALL),
            ("Policy", policy::ALL),
            ("Offer", offer::ALL),
            ("Price", price::ALL),
            ("PriceBreak", price_break::ALL),
            ("PriceComponent", component::ALL),
            ("Terms", terms::ALL),
            ("Availability", availability::ALL),
            ("LocationStock", location::ALL),
            ("IncomingStock", incoming::ALL),
            ("Freshness", freshness::ALL),
        ];
        for (name, fields) in fields {
            for field in fields {
                let told = message(name).field.iter().find(|told| told.number() == i32::from(field.number)).unwrap();
                assert_eq!(field.key, format!("\"{}\":", told.json_name()), "{name}");
            }
        }
        let names: [(&str, &[Name]); 8] = [
            ("OrderBlock", order_block::ALL),
            ("OfferStatus", offer_status::ALL),
            ("PriceStatus", price_status::ALL),
            ("TaxBasis", tax_basis::ALL),
            ("AvailabilityStatus", availability_status::ALL),
            ("Band", band::ALL),
            ("LocationStatus", location_status::ALL),
            ("Source", source::ALL),
        ];
        for (name, values) in names {
            for value in values {
                let told = message(name).enum_type[0].value.iter().find(|v| v.number() == i32::from(value.number));
                assert_eq!(value.quoted, format!("\"{}\"", told.unwrap().name()), "{name}");
            }
        }
    }
}
