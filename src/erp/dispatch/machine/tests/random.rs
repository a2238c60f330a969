//! Whatever happens: everybody is told once, and nothing is left behind.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Ask { customer: u8, sku: u8, lane: usize, need: u8, stock: bool, fresh: bool, time: u64 },
    Land { which: usize, how: u8 },
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u8..4, 0u8..12, 0usize..Lane::COUNT, 0u8..5, any::<bool>(), any::<bool>(), 0u64..3_000)
            .prop_map(|(customer, sku, lane, need, stock, fresh, time)| Step::Ask {
                customer, sku, lane, need, stock, fresh, time
            }),
        3 => (0usize..8, 0u8..8).prop_map(|(which, how)| Step::Land { which, how }),
        1 => (1u64..2_000).prop_map(Step::Pass),
    ]
}

struct World {
    machine: Machine<Until>,
    now: u64,
    air: Vec<Departure>,
    asked: usize,
    told: BTreeMap<usize, usize>,
    permits: usize,
    trace: Vec<String>,
}

impl World {
    fn new(offers: bool, calls_per_minute: Option<usize>) -> Self {
        let budget = Budget { queue_lines_max: 20, calls_per_minute, ..budget(3) };
        let machine = Machine::new(Capabilities { offers, ..capabilities(4) }, &budget, Mono(0));
        Self { machine, now: 1, air: Vec::new(), asked: 0, told: BTreeMap::new(), permits: 3, trace: Vec::new() }
    }

    fn tell(&mut self, who: impl IntoIterator<Item = Until>) {
        for Until(_, number) in who {
            *self.told.entry(number).or_default() += 1;
        }
    }

    fn act(&mut self) {
        let departures = pump(&mut self.machine, self.now);
        self.trace.extend(departures.iter().map(|d| format!("{} {:?} {:?}", self.now, d.id, d.asks)));
        self.air.extend(departures);
        let refused: Vec<Until> = self.machine.take_refused().into_iter().map(|(who, _)| who).collect();
        self.tell(refused);
        assert!(self.air.len() <= self.permits);
        // What failed and is searched waits besides, so many parts of it.
        assert!(self.machine.waiting() <= 20 + super::super::super::again::PARTS_MAX * 8);
        assert_eq!(self.machine.in_flight(), self.air.len());
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Ask { customer, sku, lane, need, stock: with_stock, fresh, time } => {
                let need = match need {
                    0 => Need::Refresh,
                    1 => Need::Rider,
                    _ => Need::Awaited,
                };
                let customer = format!("C{customer}");
                let account = Account::of(CustomerId::new(&customer).ok().as_ref(), None);
                let by: Arc<str> = "r".into();
                let now = at(self.now);
                let deadline = now.mono.plus(Duration::from_millis(time));
                let lane = Lane::ALL[lane];
                let terms = Terms { lane, account: &account, deadline, asked_by: &by, now };
                let not_before = if fresh { now.mono } else { Mono(0) };
                let demand = Demand { not_before, min_stamp: Stamp(0) };
                let mut asks = vec![(price(&customer, usize::from(sku)), false)];
                if with_stock {
                    asks.push((stock(usize::from(sku)), true));
                }
                for (ask, with_price) in asks {
                    let waiter = (need == Need::Awaited).then(|| Until(self.now + time, self.asked));
                    self.asked += usize::from(waiter.is_some());
                    self.machine.ask(&terms, Want { ask, demand, need, with_price }, waiter);
                }
            }
            Step::Land { which, how } => {
                if self.air.is_empty() {
                    return;
                }
                let call = self.air.remove(which % self.air.len());
                self.now += 20;
                let ended = match how {
                    0 => Ended::Erred,
                    1 => Ended::TimedOut,
                    2 => Ended::Unreached,
                    // One SKU that the ERP trips over.
                    _ if call.asks.contains(&stock(3)) || call.asks.contains(&price("C1", 3)) => Ended::Erred,
                    _ => Ended::Answered,
                };
                let told = self.machine.land(call.id, ended, at(self.now).mono);
                assert_eq!(told.len(), call.asks.len());
                self.tell(told.into_iter().flatten());
            }
            Step::Pass(millis) => self.now += millis,
        }
        self.act();
    }

    /// Everything is answered until nothing waits.
    fn drain(&mut self) {
        for _ in 0..10_000 {
            if let Some(call) = self.air.pop() {
                self.now += 20;
                let told = self.machine.land(call.id, Ended::Answered, at(self.now).mono);
                self.tell(told.into_iter().flatten());
            } else if self.machine.waiting() > 0 {
                let wake = self.machine.next_wake(at(self.now));
                self.now = wake.expect("what waits leaves some time").0.div_ceil(1000).max(self.now + 1);
            } else {
                break;
            }
            self.act();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn everybody_is_told_once_and_nothing_is_left(
        steps in proptest::collection::vec(step(), 1..150),
        offers in any::<bool>(),
        limited in any::<bool>(),
    ) {
        let run = || {
            let mut world = World::new(offers, limited.then_some(300));
            for step in &steps {
                world.take(step);
            }
            world.drain();
            world
        };
        let mut world = run();
        prop_assert_eq!(world.machine.waiting(), 0);
        for number in 0..world.asked {
            prop_assert_eq!(world.told.get(&number), Some(&1), "waiter {}", number);
        }
        prop_assert_eq!(world.machine.in_flight(), 0);
        // What only came along may still be there; nothing else is.
        world.now += 120_000;
        world.act();
        prop_assert_eq!(world.machine.flights.len(), 0);
        // The same again is the same.
        prop_assert_eq!(&run().trace, &world.trace);
    }
}
