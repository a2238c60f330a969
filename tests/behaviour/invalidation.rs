//! What the ERP declared wrong is not served to anybody who asks after, for any purpose, whatever else happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use comptoir::clock::Timestamp;
use comptoir::domain::{CustomerId, PriceListId, Purpose, Sku};
use comptoir::erp::connectors::simulated::{Faults, SimulatedOptions};
use comptoir::erp::dispatch::Budget;
use comptoir::offer::invalidation::{Listener, NotKept, Touched, Wrong};
use comptoir::offer::{Invalidated, Invalidation, InvalidationError, LineAnswer, LineStatus, Named, Source};
use futures_util::future::BoxFuture;

use crate::rig::{Rig, net, price_freshness, rig, rig_with, rig_with_data, stock_freshness};

const C: &str = "C-00042";
const S: &str = "SKU-000001";

fn set_price(rig: &Rig, price: &str) {
    let customer = CustomerId::new(C).unwrap();
    rig.erp.set_price(Some(customer), Sku::new(S).unwrap(), Some(price.parse().unwrap())).unwrap();
}

fn named(customers: &[&str], skus: &[&str]) -> Named {
    Named {
        customers: customers.iter().map(|id| CustomerId::new(id).unwrap()).collect(),
        skus: skus.iter().map(|id| Sku::new(id).unwrap()).collect(),
        ..Named::default()
    }
}

async fn invalidate(rig: &Rig, named: Named) -> Result<Invalidated, InvalidationError> {
    rig.service.invalidate(Invalidation { named, at: None, settle: None, request_id: "test".into() }).await
}

async fn list(rig: &Rig, customer: &str, sku: &str) -> LineAnswer {
    let mut query = rig.query(Some(customer), [sku]);
    query.purpose = Purpose::List;
    rig.ask(query).await.lines.remove(0)
}

fn down(rig: &Rig) {
    rig.faults(Faults { down: true, ..Faults::default() });
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_after_it_returned_gets_the_new_price() {
    let rig = rig();
    set_price(&rig, "1.0000");
    assert_eq!(net(&rig.one(C, S).await).as_deref(), Some("1.0000"));
    set_price(&rig, "2.0000");
    let done = invalidate(&rig, named(&[C], &[S])).await.unwrap();
    assert_eq!((done.marked, done.widened, done.settled_at), (1, false, None));
    assert_eq!(net(&rig.one(C, S).await).as_deref(), Some("2.0000"));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_left_before_is_given_to_who_asked_before_and_to_nobody_after() {
    let rig = rig();
    rig.know(C).await;
    set_price(&rig, "1.0000");
    let service = rig.service.clone();
    let early = tokio::spawn(service_answer(service, rig.query(Some(C), [S])));
    tokio::time::sleep(Duration::from_millis(20)).await;
    set_price(&rig, "2.0000");
    invalidate(&rig, named(&[], &[S])).await.unwrap();
    // Asked while the old call is in the air: it is not joined.
    let late = rig.one(C, S).await;
    assert_eq!(net(&late).as_deref(), Some("2.0000"));
    assert_eq!(net(&early.await.unwrap()).as_deref(), Some("1.0000"));
    assert_eq!(net(&rig.one(C, S).await).as_deref(), Some("2.0000"));
}

async fn service_answer(
    service: std::sync::Arc<comptoir::offer::OfferService>,
    query: comptoir::offer::OfferQuery,
) -> LineAnswer {
    service.answer(query).await.unwrap().lines.remove(0)
}

#[tokio::test(start_paused = true)]
async fn invalidations_faster_than_the_erp_starve_nobody() {
    // 50 ms a call, an invalidation every 20 ms: no answer is ever good enough for the next asker.
    let rig = rig();
    rig.know(C).await;
    let service = rig.service.clone();
    let storm = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let named = named(&[], &[S]);
            service
                .invalidate(Invalidation { named, at: None, settle: None, request_id: "storm".into() })
                .await
                .unwrap();
        }
    });
    for _ in 0..20 {
        let asked = rig.clock.mono();
        let line = rig.one(C, S).await;
        assert_eq!(line.status, LineStatus::Ok, "{line:?}");
        let waited = rig.clock.mono().since(asked);
        assert!(waited <= Duration::from_millis(110), "one call in the air, then its own: {waited:?}");
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    storm.abort();
}

#[tokio::test(start_paused = true)]
async fn every_word_reaches_its_own_and_leaves_the_rest() {
    let rig = rig();
    let list_of = |customer: &str| -> PriceListId {
        let facts = rig.erp.catalogue().customer(&CustomerId::new(customer).unwrap()).unwrap();
        facts.price_list.expect("the simulated ERP tells lists")
    };
    let customers: Vec<String> = (43..400).map(|n| format!("C-{n:05}")).collect();
    let buys_by = |same: bool| customers.iter().find(|other| (list_of(other) == list_of(C)) == same).unwrap().as_str();
    let others = [buys_by(true), buys_by(false)];
    let warm = async || {
        for customer in [C, others[0], others[1]] {
            for sku in [S, "SKU-000002"] {
                list(&rig, customer, sku).await;
            }
        }
    };
    warm().await;
    let own = list_of(C);
    let with_lists = |skus: &[&str]| Named { price_lists: vec![own.clone()], ..named(&[], skus) };
    // What is gone: (C, S), (C, other SKU), (same list, S), (other list, S).
    for (named, gone) in [
        (named(&[C], &[]), [true, true, false, false]),
        (named(&[C], &[S]), [true, false, false, false]),
        (named(&[], &[S]), [true, false, true, true]),
        (with_lists(&[]), [true, true, true, false]),
        (with_lists(&[S]), [true, false, true, false]),
        (Named { all: true, ..Named::default() }, [true, true, true, true]),
    ] {
        rig.faults(Faults::default());
        warm().await;
        down(&rig);
        invalidate(&rig, named.clone()).await.unwrap();
        let asked = [(C, S), (C, "SKU-000002"), (others[0], S), (others[1], S)];
        for ((customer, sku), gone) in asked.into_iter().zip(gone) {
            let line = list(&rig, customer, sku).await;
            let expected = if gone { LineStatus::Unavailable } else { LineStatus::Ok };
            assert_eq!(line.status, expected, "{named:?}: {customer} {sku} {line:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_this_erp_cannot_tell_apart_is_refused_and_changes_nothing() {
    let rig = rig();
    rig.one(C, S).await;
    rig.erp.reset_stats();
    let contract = Named { contracts: vec![comptoir::domain::ContractId::new("K").unwrap()], ..Named::default() };
    for (named, reason) in [(contract, "not_resolvable"), (Named::default(), "nothing_named")] {
        assert_eq!(invalidate(&rig, named).await.unwrap_err().reason(), reason);
    }
    rig.one(C, S).await;
    assert_eq!(rig.erp.stats().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_fetched_while_prices_settle_is_served_and_expires_at_the_end() {
    let rig = rig();
    set_price(&rig, "1.0000");
    rig.one(C, S).await;
    // The ERP tells before it commits.
    let settle = Some(Duration::from_secs(5));
    let asked = Invalidation { named: named(&[C], &[]), at: None, settle, request_id: "test".into() };
    let done = rig.service.invalidate(asked).await.unwrap();
    assert_eq!(done.settled_at, Some(done.effective_at.plus(Duration::from_secs(5))));
    assert_eq!(net(&rig.one(C, S).await).as_deref(), Some("1.0000"));
    set_price(&rig, "2.0000");
    rig.erp.reset_stats();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let line = rig.one(C, S).await;
    assert_eq!(net(&line).as_deref(), Some("1.0000"));
    assert_eq!((rig.erp.stats().calls, price_freshness(&line).unwrap().stale), (0, None));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Expired, not gone: with the ERP down a list is still served, marked.
    down(&rig);
    let line = list(&rig, C, S).await;
    assert_eq!(net(&line).as_deref(), Some("1.0000"));
    assert_eq!(price_freshness(&line).unwrap().stale, Some("erp_unreachable"));
    rig.faults(Faults::default());
    assert_eq!(net(&rig.one(C, S).await).as_deref(), Some("2.0000"));
    // The facts of the customer were asked again too, once.
    rig.erp.reset_stats();
    rig.one(C, S).await;
    assert_eq!(rig.erp.stats().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_served_past_an_announced_change() {
    let rig = rig_with_data();
    set_price(&rig, "1.0000");
    rig.one(C, S).await;
    let at = rig.clock.read().wall.plus(Duration::from_secs(30));
    let asked = Invalidation { named: named(&[], &[S]), at: Some(at), settle: None, request_id: "test".into() };
    assert_eq!(rig.service.invalidate(asked).await.unwrap().effective_at, at);
    tokio::time::sleep(Duration::from_millis(29_999)).await;
    rig.erp.reset_stats();
    assert_eq!(net(&list(&rig, C, S).await).as_deref(), Some("1.0000"));
    assert_eq!(rig.erp.stats().calls, 0, "until then nothing changes");
    // A call leaves just before; the change comes while it is in the air.
    let mut early = rig.query(Some(C), [S]);
    early.max_age = Some(Duration::ZERO);
    let early = tokio::spawn(service_answer(rig.service.clone(), early));
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(rig.clock.read().wall >= at);
    set_price(&rig, "2.0000");
    down(&rig);
    let line = list(&rig, C, S).await;
    assert_eq!((line.status, line.reason), (LineStatus::Unavailable, Some("invalidated")));
    early.await.unwrap();
    let line = list(&rig, C, S).await;
    assert_eq!((line.status, net(&line)), (LineStatus::Unavailable, None), "nor what the early call brought");
    rig.faults(Faults::default());
    assert_eq!(net(&list(&rig, C, S).await).as_deref(), Some("2.0000"));
}

#[tokio::test(start_paused = true)]
async fn an_announced_change_settles_like_any_other() {
    let rig = rig_with_data();
    let (at, settle) = (rig.clock.read().wall.plus(Duration::from_secs(10)), Some(Duration::from_secs(5)));
    let asked = Invalidation { named: named(&[C], &[S]), at: Some(at), settle, request_id: "test".into() };
    let done = rig.service.invalidate(asked).await.unwrap();
    assert_eq!(done.settled_at, Some(at.plus(Duration::from_secs(5))));
    let keeps_time = rig.service.clone();
    let timer = tokio::spawn(async move { keeps_time.invalidator().keep_time().await });
    tokio::time::sleep(Duration::from_secs(11)).await;
    rig.one(C, S).await;
    rig.erp.reset_stats();
    tokio::time::sleep(Duration::from_secs(3)).await;
    rig.one(C, S).await;
    assert_eq!(rig.erp.stats().calls, 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.one(C, S).await;
    assert_eq!(rig.erp.stats().calls, 1, "asked again once it has settled");
    assert_eq!(rig.service.invalidator().waiting(), 0);
    timer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_change_announced_for_the_past_is_one_now() {
    let rig = rig();
    rig.one(C, S).await;
    down(&rig);
    let asked = Invalidation {
        named: Named { all: true, ..Named::default() },
        at: Some(Timestamp(0)),
        settle: None,
        request_id: "test".into(),
    };
    let done = rig.service.invalidate(asked).await.unwrap();
    assert_eq!(done.effective_at, rig.clock.read().wall);
    let line = list(&rig, C, S).await;
    assert_eq!(line.status, LineStatus::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn stock_goes_with_its_article_and_stays_when_a_customer_is_named() {
    let rig = rig();
    rig.one(C, S).await;
    invalidate(&rig, named(&[C], &[])).await.unwrap();
    let line = rig.one(C, S).await;
    assert_eq!(stock_freshness(&line).unwrap().source, Source::Memory);
    assert_eq!(price_freshness(&line).unwrap().source, Source::Erp);
    invalidate(&rig, named(&[], &[S])).await.unwrap();
    assert_eq!(stock_freshness(&rig.one(C, S).await).unwrap().source, Source::Erp);
}

#[tokio::test(start_paused = true)]
async fn a_price_asked_with_facts_that_were_declared_wrong_meanwhile_is_not_remembered() {
    let options = SimulatedOptions { priced_by_facts: true, ..SimulatedOptions::default() };
    let rig = rig_with(options, Budget { concurrency: 1, ..Budget::default() });
    rig.know(C).await;
    rig.know("C-00043").await;
    // The only permit is taken, so the next question waits with the facts as they are.
    let busy = tokio::spawn(service_answer(rig.service.clone(), rig.query(Some("C-00043"), [S])));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let queued = tokio::spawn(service_answer(rig.service.clone(), rig.query(Some(C), [S])));
    tokio::time::sleep(Duration::from_millis(1)).await;
    invalidate(&rig, named(&[C], &[])).await.unwrap();
    assert_eq!(busy.await.unwrap().status, LineStatus::Ok);
    assert_eq!(queued.await.unwrap().status, LineStatus::Ok, "asked before");
    let late = rig.one(C, S).await;
    assert_eq!(price_freshness(&late).unwrap().source, Source::Erp, "the facts behind the held one were wrong");
}

#[tokio::test(start_paused = true)]
async fn who_waits_past_an_announced_change_is_not_given_what_was_held_before() {
    let rig = rig_with_data();
    list(&rig, C, S).await;
    let at = Timestamp(rig.clock.read().wall.0 + 20);
    rig.service
        .invalidate(Invalidation { named: named(&[], &[S]), at: Some(at), settle: None, request_id: "test".into() })
        .await
        .unwrap();
    // The first line is held, the second takes 50 ms.
    let mut query = rig.query(Some(C), [S, "SKU-000002"]);
    query.purpose = Purpose::List;
    let lines = rig.ask(query).await.lines;
    assert_eq!((lines[0].status, lines[0].reason), (LineStatus::Unavailable, Some("invalidated")));
    assert_eq!(lines[1].status, LineStatus::Ok);
    assert_eq!(price_freshness(&list(&rig, C, S).await).unwrap().source, Source::Erp);
}

#[tokio::test(start_paused = true)]
async fn a_no_that_was_held_does_not_outlast_an_announced_change_either() {
    let rig = rig_with_data();
    rig.know(C).await;
    assert_eq!(list(&rig, C, "NO-SUCH-SKU").await.status, LineStatus::UnknownSku);
    let named = Named { all: true, ..Named::default() };
    let at = Some(Timestamp(rig.clock.read().wall.0 + 20));
    rig.service.invalidate(Invalidation { named, at, settle: None, request_id: "test".into() }).await.unwrap();
    let mut query = rig.query(Some(C), ["NO-SUCH-SKU", "SKU-000002"]);
    query.purpose = Purpose::List;
    let lines = rig.ask(query).await.lines;
    assert_eq!((lines[0].status, lines[0].reason), (LineStatus::Unavailable, Some("invalidated")));
    assert_eq!(lines[1].status, LineStatus::Ok);
}

/// Takes a tenth of a second to keep what it hears, or cannot keep it.
#[derive(Default)]
struct Keeper {
    kept: Arc<Mutex<Vec<[Touched; 2]>>>,
    full: Arc<AtomicBool>,
}

impl Listener for Keeper {
    fn hear(&self, wrong: &Wrong<'_>) -> BoxFuture<'static, Result<(), NotKept>> {
        let touched = [wrong.touches(Some(&CustomerId::new(C).unwrap())), wrong.touches(None)];
        let (kept, full) = (self.kept.clone(), self.full.clone());
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if full.load(Ordering::SeqCst) {
                return Err(NotKept("the disk is full".into()));
            }
            kept.lock().unwrap().push(touched);
            Ok(())
        })
    }
}

fn skus_touched(sku: &str) -> Touched {
    Touched::Skus(vec![Sku::new(sku).unwrap()])
}

#[tokio::test(start_paused = true)]
async fn who_keeps_prices_has_heard_of_it_when_it_returns() {
    let rig = rig();
    let keeper = Keeper::default();
    let (kept, full) = (keeper.kept.clone(), keeper.full.clone());
    rig.service.invalidator().tell(Arc::new(keeper));
    rig.one(C, S).await;
    invalidate(&rig, named(&[C], &[S])).await.unwrap();
    assert_eq!(std::mem::take(&mut *kept.lock().unwrap()), [[skus_touched(S), Touched::Nothing]]);
    let by_list = |list: &str| Named { price_lists: vec![PriceListId::new(list).unwrap()], ..Named::default() };
    invalidate(&rig, by_list("L-NONE")).await.unwrap();
    assert_eq!(std::mem::take(&mut *kept.lock().unwrap()), [[Touched::Nothing, Touched::Nothing]], "another's list");
    full.store(true, Ordering::SeqCst);
    let refused = invalidate(&rig, named(&[], &[S])).await.unwrap_err();
    assert_eq!((refused.reason(), refused.is_retryable()), ("not_durable", true));
    let line = rig.one(C, S).await;
    assert_eq!(price_freshness(&line).unwrap().source, Source::Erp, "it took effect all the same");
}

#[tokio::test(start_paused = true)]
async fn who_keeps_prices_hears_of_what_was_announced_and_of_the_end_of_settling() {
    let rig = rig_with_data();
    let keeper = Keeper::default();
    let (kept, full) = (keeper.kept.clone(), keeper.full.clone());
    rig.service.invalidator().tell(Arc::new(keeper));
    let keeps_time = rig.service.clone();
    let timer = tokio::spawn(async move { keeps_time.invalidator().keep_time().await });
    let (at, settle) = (rig.clock.read().wall.plus(Duration::from_secs(10)), Some(Duration::from_secs(5)));
    let asked = Invalidation { named: named(&[], &[S]), at: Some(at), settle, request_id: "test".into() };
    rig.service.invalidate(asked).await.unwrap();
    let heard = || std::mem::take(&mut *kept.lock().unwrap()).len();
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(heard(), 0);
    // It is told until it is kept, also what came due by somebody's request.
    full.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(1_001)).await;
    rig.one(C, S).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(heard(), 0);
    full.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(heard(), 1);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(heard(), 1, "what was asked meanwhile is asked again");
    timer.abort();
}
