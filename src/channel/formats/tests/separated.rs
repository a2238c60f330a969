//! The generic files.

use super::rows::{at_quantity, row, zeroed};
use super::*;
use crate::channel::row::Reasons;
use crate::domain::Sku;

fn csv(rows: &[ChannelRow]) -> String {
    text(by_name("csv").unwrap(), &ChannelConfig::named("shop"), rows)
}

#[test]
fn every_column_and_every_absence() {
    let mut pack = row("BOLT-8");
    Arc::get_mut(&mut pack.key).unwrap().channel_sku = Sku::new("BOLT-8-BOX").unwrap();
    pack.lead_time_days = Some(3);
    pack.reasons = Reasons::from_iter(["price_held", "source_gap"]);
    let bare = ChannelRow { quantity: None, price: None, ..row("GLUE") };
    let head = "sku,channelSku,state,quantity,price,currency,taxBasis,leadTimeDays,version,reasons\r\n";
    assert_eq!(
        csv(&[pack.clone(), bare.clone(), zeroed("OLD", "unknown_sku"), at_quantity("WIRE", "2.50")]),
        format!(
            "{head}BOLT-8,BOLT-8-BOX,LISTED,5,12.30,EUR,GROSS,3,1700000000000001,price_held source_gap\r\n\
             GLUE,GLUE,LISTED,,,,,,1700000000000001,\r\n\
             OLD,OLD,ZEROED,0,12.30,EUR,GROSS,,1700000000000001,unknown_sku\r\n\
             WIRE,WIRE,LISTED,2.50,12.30,EUR,GROSS,,1700000000000001,\r\n"
        )
    );
    let tsv = text(by_name("tsv").unwrap(), &ChannelConfig::named("shop"), &[pack, bare]);
    assert_eq!(tsv.lines().nth(2), Some("GLUE\tGLUE\tLISTED\t\t\t\t\t\t1700000000000001\t"));
    assert!(tsv.ends_with('\n') && !tsv.contains('\r'));
}

/// The rule the module states.
fn read_back(cell: &str) -> &str {
    let rest = cell.trim_start_matches('\'');
    let is_marked = rest.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']);
    if is_marked { cell.strip_prefix('\'').unwrap() } else { cell }
}

#[test]
fn nothing_begins_like_a_formula_and_everything_can_be_read_back() {
    for (sku, want) in [
        ("=1+1", "'=1+1"),
        ("+33", "'+33"),
        ("-5MM", "'-5MM"),
        ("@A", "'@A"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("''=1", "'''=1"),
        ("'90s", "'90s"),
        ("A=1", "A=1"),
        ("=HYPERLINK(\"x\";\"y\")", "\"'=HYPERLINK(\"\"x\"\";\"\"y\"\")\""),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
    ] {
        let file = csv(&[row(sku)]);
        let line = file.lines().nth(1).unwrap();
        assert!(line.starts_with(&format!("{want},")), "{sku}: {line}");
        if !want.starts_with('"') {
            assert_eq!(read_back(want), sku);
        }
    }
}
