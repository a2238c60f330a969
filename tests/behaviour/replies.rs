//! An ERP answer is believed line by line; what is not believed is said, never invented.

use std::time::Duration;

use comptoir::domain::Sku;
use comptoir::erp::connectors::simulated::{Faults, Garbage};
use comptoir::offer::LineStatus;

use crate::rig::{net, price_freshness, rig, skus};

#[tokio::test(start_paused = true)]
async fn whatever_an_answer_is_like_no_line_gets_another_ones_figure() {
    for garbage in Garbage::ALL {
        let honest = rig();
        honest.know("C-00042").await;
        let truth: Vec<_> = honest.ask(honest.query(Some("C-00042"), skus(12))).await.lines.iter().map(net).collect();
        let rig = rig();
        rig.know("C-00042").await;
        rig.faults(Faults { garbage: Some(garbage), ..Faults::default() });
        let answer = rig.ask(rig.query(Some("C-00042"), skus(12))).await;
        for (line, truth) in answer.lines.iter().zip(&truth) {
            match line.status {
                LineStatus::Ok => assert_eq!(&net(line), truth, "{garbage:?}"),
                LineStatus::Unavailable => assert_eq!(line.reason, Some("erp_error"), "{garbage:?}"),
                LineStatus::OnRequest => assert_eq!((garbage, line.reason), (Garbage::NullPrice, Some("no_price"))),
                other => panic!("{garbage:?}: {other:?}"),
            }
        }
        let good = answer.lines.iter().filter(|line| line.status == LineStatus::Ok).count();
        match garbage {
            Garbage::Shuffled | Garbage::Duplicated => assert_eq!(good, 12, "{garbage:?}"),
            Garbage::Missing => assert_eq!(good, 6),
            _ => assert_eq!(good, 0, "{garbage:?}"),
        }
        // Mended: everything is there, and nothing of the bad answer is left.
        rig.faults(Faults::default());
        tokio::time::sleep(Duration::from_secs(61)).await;
        let answer = rig.ask(rig.query(Some("C-00042"), skus(12))).await;
        assert_eq!(answer.lines.iter().map(net).collect::<Vec<_>>(), truth, "{garbage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_bad_row_fails_one_line() {
    let rig = rig();
    rig.know("C-00042").await;
    rig.faults(Faults {
        garbage: Some(Garbage::Contradictory),
        skus: vec![Sku::new("SKU-000003").unwrap()],
        ..Faults::default()
    });
    let answer = rig.ask(rig.query(Some("C-00042"), skus(5))).await;
    let fates: Vec<_> = answer.lines.iter().map(|line| line.status).collect();
    use LineStatus::{Ok, Unavailable};
    assert_eq!(fates, [Ok, Ok, Unavailable, Ok, Ok]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_at_its_hard_limit_and_the_next_one_works() {
    let rig = rig();
    rig.know("C-00042").await;
    rig.faults(Faults { hang: true, ..Faults::default() });
    let mut query = rig.query(Some("C-00042"), skus(1));
    query.deadline = query.arrival.mono.plus(Duration::from_secs(30));
    let answer = rig.ask(query).await;
    assert_eq!(answer.lines[0].reason, Some("erp_timeout"));
    assert_eq!(rig.clock.mono().since(answer.query.arrival.mono), Duration::from_secs(10));
    rig.faults(Faults::default());
    let line = rig.one("C-00042", "SKU-000001").await;
    assert_eq!(price_freshness(&line).unwrap().stale, None);
}

#[tokio::test(start_paused = true)]
async fn a_busy_erp_is_not_an_absent_price() {
    let rig = rig();
    rig.know("C-00042").await;
    rig.faults(Faults { calls_per_minute: Some(0), ..Faults::default() });
    let line = rig.one("C-00042", "SKU-000001").await;
    assert_eq!((line.status, line.reason), (LineStatus::Unavailable, Some("erp_busy")));
}
