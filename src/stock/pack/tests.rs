use proptest::prelude::*;

use super::*;

fn a_name() -> impl Strategy<Value = String> {
    "[A-Zé-]{1,12}"
}

fn a_key() -> impl Strategy<Value = RowKey> {
    (a_name(), prop_oneof![Just("PARIS".to_owned()), a_name()], 0usize..5, "[0-9]{0,4}").prop_map(
        |(sku, location, measure, row)| RowKey {
            sku: Sku::new(&sku).unwrap(),
            location: LocationId::new(&location).unwrap(),
            measure: Measure::ALL[measure],
            row: RowId::new(&row).unwrap(),
        },
    )
}

fn a_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(Timestamp(5)), any::<i64>().prop_map(Timestamp)]
}

fn a_row() -> impl Strategy<Value = Row> {
    let limit = 10i128.pow(27) - 1;
    let quantity = prop_oneof![(-limit..limit, 9u32..10), (-100..100i128, 0u32..10)];
    let date = proptest::option::of((-9999i16..=9999, 1i8..=12, 1i8..=28));
    let times = (proptest::option::of(a_time()), proptest::option::of(a_time()), a_time());
    (quantity, date, times, 0u64..3, prop_oneof![0u64..3, any::<u64>()], any::<bool>()).prop_map(
        |((mantissa, scale), date, (expires_at, effective_at, changed_at), sequence, stated, suspect)| Row {
            quantity: Quantity::new(Decimal::from_i128_with_scale(mantissa, scale)).unwrap(),
            expected_on: date.map(|(year, month, day)| Date::new(year, month, day).unwrap()),
            expires_at,
            changed_at,
            effective_at,
            sequence,
            stated,
            suspect,
        },
    )
}

fn an_original() -> impl Strategy<Value = Original> {
    let reason = proptest::option::of(prop_oneof![Just("not_owner"), Just("sequence_reused")]);
    (0usize..6, reason, proptest::option::of(any::<u64>())).prop_map(|(verdict, reason, change_id)| Original {
        verdict: VERDICTS[verdict],
        reason,
        change_id,
    })
}

fn a_trace() -> impl Strategy<Value = Trace> {
    let applied = (a_key(), a_row(), any::<bool>()).prop_map(|(key, row, set)| {
        let kind = if set { ChangeKind::Set } else { ChangeKind::Add };
        let Row { quantity, expected_on, expires_at, .. } = row;
        Trace::Applied(Movement { kind, key, quantity, expected_on, expires_at })
    });
    prop_oneof![applied, a_key().prop_map(Trace::Rejected)]
}

/// Mostly what a change makes: its row, and its number with the same key.
fn some_events() -> impl Strategy<Value = Vec<Event>> {
    let change = (a_key(), proptest::option::of(a_row()), any::<u64>(), any::<u64>(), an_original()).prop_map(
        |(key, row, sequence, hash, original)| {
            vec![
                Event::Row { key: key.clone(), row },
                Event::Numbered { sequence, hash, original, trace: Some(Trace::Rejected(key)) },
            ]
        },
    );
    let other = prop_oneof![
        (a_name(), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(|(sku, id, version, urgent)| {
            Event::Logged { sku: Sku::new(&sku).unwrap(), id, version, urgent }
        }),
        (any::<u64>(), any::<u64>(), an_original(), proptest::option::of(a_trace()))
            .prop_map(|(sequence, hash, original, trace)| Event::Numbered { sequence, hash, original, trace }),
        ("[a-z]{0,9}", a_time())
            .prop_map(|(epoch, since)| Event::Unbegun { epoch: Epoch::new(&epoch).unwrap(), since }),
        (any::<(u64, u64)>(), a_time()).prop_map(|((after, seen), since)| Event::Gap { after, seen, since }),
        (any::<u64>(), a_time()).prop_map(|(up_to, since)| Event::Uncovered { up_to, since }),
        Just(Event::Heard),
        (a_name(), any::<u64>(), an_original()).prop_map(|(id, hash, original)| Event::Named {
            event_id: id.into(),
            hash,
            original
        }),
        any::<u64>().prop_map(|sequence| Event::Position { sequence }),
        ("[a-z]{0,9}", any::<u64>())
            .prop_map(|(epoch, sequence)| Event::Epoch { epoch: Epoch::new(&epoch).unwrap(), sequence }),
        any::<u64>().prop_map(|before| Event::Missed { before }),
        (a_name(), 0usize..5, any::<u64>()).prop_map(|(location, measure, sequence)| Event::Complete {
            location: LocationId::new(&location).unwrap(),
            measure: Measure::ALL[measure],
            sequence,
        }),
    ]
    .prop_map(|event| vec![event]);
    proptest::collection::vec(prop_oneof![change, other], 0..12).prop_map(|events| events.concat())
}

proptest! {
    #[test]
    fn events_come_back_and_nothing_else_is_read(
        events in some_events(), at in a_time(), source in a_name(), cut: prop::sample::Index,
    ) {
        let batch = Batch { source: SourceId::new(&source).unwrap(), at, events };
        let mut bytes = Vec::new();
        pack(&batch, &mut bytes);
        let mut unpacking = Unpacking::default();
        let read = unpacking.batch(&bytes).unwrap();
        prop_assert_eq!(&read, &batch);
        // Equal, and to the digit: 12.0 stays 12.0.
        prop_assert_eq!(format!("{read:?}"), format!("{batch:?}"));
        prop_assert_eq!(unpacking.batch(&bytes[..cut.index(bytes.len())]), None);
        bytes.push(0);
        prop_assert_eq!(unpacking.batch(&bytes), None);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let mut framed = vec![FORMAT];
        framed.extend(bytes);
        let _ = Unpacking::default().batch(&framed);
    }
}

#[test]
fn a_change_takes_little_room() {
    let key = RowKey {
        sku: Sku::new("BOLT-8-0042").unwrap(),
        location: LocationId::new("PARIS").unwrap(),
        measure: Measure::OnHand,
        row: RowId::default(),
    };
    let at = Timestamp(1_795_000_000_000);
    let row = Row {
        quantity: "120".parse().unwrap(),
        expected_on: None,
        expires_at: None,
        changed_at: at,
        effective_at: None,
        sequence: 1_000_001,
        stated: 1_000_001,
        suspect: false,
    };
    let original = Original { verdict: Verdict::Applied, reason: None, change_id: Some(1_000_001) };
    let (kind, quantity) = (ChangeKind::Add, "-12".parse().unwrap());
    let movement = Movement { kind, key: key.clone(), quantity, expected_on: None, expires_at: None };
    let events = vec![
        Event::Row { key: key.clone(), row: Some(row) },
        Event::Numbered { sequence: 1_000_001, hash: u64::MAX, original, trace: Some(Trace::Applied(movement)) },
        Event::Logged { sku: key.sku, id: 1_000_001, version: 1_000_001, urgent: false },
    ];
    let mut bytes = Vec::new();
    pack(&Batch { source: SourceId::new("wms").unwrap(), at, events }, &mut bytes);
    assert!(bytes.len() < 90, "{} bytes", bytes.len());
}
