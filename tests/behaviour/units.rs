//! One unit, exact: the box of 12, the price per 100, the breaks in pieces.

use comptoir::offer::{AvailabilityAnswer, Band, LineAnswer, LineQuery, LineStatus, PriceAnswer};

use crate::rig::{Rig, net, rig};

async fn bolts(rig: &Rig, quantity: &str, unit: Option<&str>) -> LineAnswer {
    let mut query = rig.query(Some("C-00042"), ["BOLT-8"]);
    query.lines = vec![LineQuery::new("BOLT-8".into(), Some(quantity.into()), unit.map(Into::into), None)];
    rig.ask(query).await.lines.remove(0)
}

#[tokio::test(start_paused = true)]
async fn three_boxes_of_twelve_priced_per_hundred_with_breaks_in_pieces() {
    let rig = rig();
    let line = bolts(&rig, "3", Some("BOX")).await;
    assert_eq!(line.status, LineStatus::Ok);
    assert_eq!(line.unit_factor, Some("12".parse().unwrap()));
    assert_eq!(line.base_unit.as_ref().unwrap().as_str(), "EA");
    assert_eq!(line.order_quantity, Some("36".parse().unwrap()));
    let PriceAnswer::Told { row, .. } = &line.price else { panic!() };
    assert_eq!(row.list_price().map(|price| price.to_string()).as_deref(), Some("26.00"));
    assert_eq!(&*row.shape().base_quantity, "100");
    assert_eq!(net(&line).as_deref(), Some("23.40"), "36 pieces");

    // 8 boxes are 96 pieces, 9 are 108: past the break at 100 pieces.
    assert_eq!(net(&bolts(&rig, "8", Some("BOX")).await).as_deref(), Some("23.40"));
    assert_eq!(net(&bolts(&rig, "9", Some("BOX")).await).as_deref(), Some("21.90"));
    assert_eq!(net(&bolts(&rig, "99.999999999", None).await).as_deref(), Some("23.40"));
    assert_eq!(net(&bolts(&rig, "100", Some("EA")).await).as_deref(), Some("21.90"));
}

#[tokio::test(start_paused = true)]
async fn asking_less_than_may_be_ordered_is_no_error() {
    let rig = rig();
    let line = bolts(&rig, "5", None).await;
    assert_eq!((line.status, line.order_quantity), (LineStatus::Ok, Some("12".parse().unwrap())));
}

#[tokio::test(start_paused = true)]
async fn a_unit_the_sku_does_not_come_in_is_refused() {
    let rig = rig();
    let line = bolts(&rig, "1", Some("PALLET")).await;
    assert_eq!((line.status, line.reason), (LineStatus::Invalid, Some("unit_unknown")));
}

#[tokio::test(start_paused = true)]
async fn availability_is_in_base_units_and_dated_by_what_comes() {
    let rig = rig();
    for (quantity, unit, day) in [
        ("3", Some("BOX"), "2026-11-22"),
        ("35", Some("BOX"), "2026-11-22"),
        ("36", Some("BOX"), "2026-12-01"),
        ("1420", None, "2026-12-01"),
        ("1421", None, "2026-11-27"),
    ] {
        let line = bolts(&rig, quantity, unit).await;
        let AvailabilityAnswer::Told { row, band, available_on, .. } = &line.availability else { panic!("{line:?}") };
        assert_eq!((row.available().1.to_string().as_str(), *band), ("420", Band::InStock));
        assert_eq!(available_on.unwrap().to_string(), day, "{quantity} {unit:?}");
    }
}
