//! No answer is better than another customer's price.

use comptoir::domain::Sku;
use comptoir::erp::connectors::simulated::Simulator;
use comptoir::offer::{LineStatus, PriceAnswer};
use futures_util::future::join_all;

use crate::rig::{net, rig, skus};

#[tokio::test(start_paused = true)]
async fn everybody_gets_their_own_price_whoever_asks_with_them() {
    let rig = rig();
    let customers: Vec<String> = (1..=40).map(|n| format!("C-{n:05}")).collect();
    let pages = customers.iter().map(|customer| rig.ask(rig.query(Some(customer), skus(20))));
    let answers = join_all(pages).await;
    let mut distinct = std::collections::HashSet::new();
    for (customer, answer) in customers.iter().zip(&answers) {
        for (line, sku) in answer.lines.iter().zip(skus(20)) {
            let PriceAnswer::Told { row, .. } = &line.price else { panic!("{line:?}") };
            let truth = truth(&rig.erp, customer, row.shape().currency, &sku);
            assert_eq!(net(line), Some(truth.clone()), "{customer} {sku}");
            distinct.insert(truth);
        }
    }
    assert!(distinct.len() > 400, "prices differ, or this shows nothing: {}", distinct.len());
}

fn truth(erp: &std::sync::Arc<Simulator>, customer: &str, currency: comptoir::domain::Currency, sku: &str) -> String {
    let customer = comptoir::domain::CustomerId::new(customer).unwrap();
    let line = erp.catalogue().price_if_sold(Some(&customer), currency, erp.today(), &Sku::new(sku).unwrap());
    let quantity = "1".parse().unwrap();
    let reached = line.breaks.iter().rfind(|step| step.min_quantity <= quantity);
    reached.map_or(line.net_price, |step| step.net_price).to_string()
}

#[tokio::test(start_paused = true)]
async fn the_public_is_nobodys_customer() {
    let rig = rig();
    let public = rig.ask(rig.query(None, ["SKU-000001"])).await;
    let customer = rig.ask(rig.query(Some("C-00042"), ["SKU-000001"])).await;
    assert_ne!(net(&public.lines[0]), net(&customer.lines[0]));
    assert_eq!(public.lines[0].status, LineStatus::Ok);
}
