//! Switches that make one rule wrong on purpose, to prove that its test would notice.
//!
//! A pure core asks `mutant!` at the one place where a rule is kept. Without the feature `mutants` that is the constant
//! `false` and costs nothing; with it, one switch at a time can be turned on, and whether it was ever asked for is known: a
//! test that stays green while its rule is broken, or that never gets there, proves nothing.

/// Every switch, by the rule it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    // erp::dispatch
    JoinOlderAir,
    JoinBeforeInvalidation,
    NoInheritance,
    FirstFactsStay,
    RefuseJoiners,
    RoundRobinOff,
    LanesOff,
    CeilingOff,
    LowestLaneNever,
    BackgroundFirst,
    RiderCausesCall,
    RefusedKeyForgotten,
    ShedHighestFirst,
    LongestWaitIgnored,
    LatePageTrimmed,
    SunkPriceLeavesStock,
    StockOutlastsPrice,
    // erp::dispatch, the budget
    SlotBackAtEnd,
    BurstOff,
    LowLanesTakeEachToken,
    PermitsOff,
    MaintenanceOff,
    UncleanStartOff,
    // erp::dispatch, failures
    RetryTimedOut,
    RetryWithoutBudget,
    PoisonOpensBreaker,
    NoBisection,
    // erp::breaker
    BreakerNeverOpens,
    ProbesWithoutEnd,
    // erp::limit
    LimitFedByRefusals,
    LimitOnRawLatency,
    BaselineUnderLoad,
    // offer
    ServeInvalidated,
    CrossToldEnd,
    EndWhileWaiting,
    AnnouncedWhileWaiting,
    SoftTimePastMaxAge,
    NoSoftTime,
    MaintenanceCounts,
    CheckoutCrossesDay,
    NoWithoutMaxAge,
    ShareSomebodysOwn,
    ShareOtherList,
    ShareDespiteOwnPrices,
    FactsHaveNoAge,
    FactsHaveNoStamp,
    AgeFromLanding,
    // cache::epochs
    MarkWithOldStamp,
    PairWordsIgnored,
    // offer::invalidation
    StampAtLanding,
    SettleNeverExpires,
    AnnouncementIgnored,
    WidenToTooLittle,
    ReplaySkipped,
    SavedCellsForgotten,
    JournalNotMissed,
    // stock::levels
    PendingNeverExpires,
    PendingIgnored,
    PendingUndoubted,
    MissedForgotten,
    HalfARequestIsSeen,
    // stock::changes
    ZeroKeepsItsPlace,
    IssuedRowKeepsItsPlace,
    OneNumberZerosFirst,
    HotRowsMoveToTheEnd,
    NothingFromAhead,
    RestartForgetsWhatWasIssued,
    AnyCursorIsOurs,
    // stock::judge
    LeftEpochTaken,
    GapTaken,
    RejectedKeepsItsNumber,
    ReusedNumberUnseen,
    OldAddTaken,
    LateSetTaken,
    PendingOutlivesReservation,
    AddNeedsNoBase,
    RejectedUnmarked,
    NotOwnerTaken,
    NumbersForgotten,
    EventIdForgotten,
    SnapshotReplaysAll,
    OldSnapshotTaken,
    EmptiedUnguarded,
    PartCoversAll,
    SnapshotForgetsLater,
    NewEpochTaken,
    HeartbeatIgnored,
    FarHeartbeatUnmarked,
    NoiseLeavesAHole,
    SkipLosesWhatComes,
    ClockAheadBelieved,
    MissedUnmarked,
    LedgerUnbounded,
    NumberingForgotten,
    RemovedRowComesBack,
    UngivenNetIsZero,
    // stock::intake
    VisibleBeforeDurable,
    AcknowledgedBeforeDurable,
    EarlyIsNotHeld,
    // channel, the log
    ZeroWaitsItsTurn,
    PurgedUnsaid,
    VersionsBeginAnew,
    DoubtIsNotHeld,
    MassZeroUnguarded,
    PurgeForgets,
    PublishedBeforeDurable,
    ConsumedBeforeRows,
    LostVersionsStay,
    // offer::ledger
    BasketTrustsDoubt,
    DoubtAnsweredFromBefore,
    DoubtUnsaid,
    // channel::formats
    OlderFileTaken,
    SmallFileGuarded,
    ForcedFileGuarded,
    ShrunkFileTaken,
    ZeroedFileTaken,
    // channel, prices
    AnswerFromBeforeTaken,
    InvalidatedNotFirst,
    FailedPriceAskedAtOnce,
    LeastUrgentNever,
    PriceEndForgotten,
    // offer, who is told of invalidations
    ListenerNotAwaited,
    UnknownListSpared,
    // channel::policy
    UnfitIsSold,
    ExcludedIsSold,
    ChannelsStockIsCounted,
    EachLocationAtLeastZero,
    ReserveIgnored,
    ThresholdIsSafetyStock,
    ShareBeforeReserve,
    CapBeforePack,
    PackRoundedUp,
    LessThanNothingIsShown,
    ZeroLocationIsSold,
    HeldLocationIsZero,
    NoOnlyZeroes,
    EndedPriceIsAsked,
    InvalidatedForEver,
    HeldUnsaid,
    AnyCurrencyIsAsked,
    TaxRateIsInvented,
    BelowTheFloorPrice,
    PackCostsOneUnit,
    BaseQuantityIgnored,
    RoundedTwice,
    EndingBelowThePrice,
    RemovedAtOnce,
    RiseAtOnce,
    FallWaits,
    LatestRiseIsShown,
    SmallMoveBelowFloor,
    EverySmallMoveIsShown,
    SamePublishedAgain,
}

impl Mutant {
    pub const ALL: &[Mutant] = &[
        Mutant::JoinOlderAir,
        Mutant::JoinBeforeInvalidation,
        Mutant::NoInheritance,
        Mutant::FirstFactsStay,
        Mutant::RefuseJoiners,
        Mutant::RoundRobinOff,
        Mutant::LanesOff,
        Mutant::CeilingOff,
        Mutant::LowestLaneNever,
        Mutant::BackgroundFirst,
        Mutant::RiderCausesCall,
        Mutant::RefusedKeyForgotten,
        Mutant::ShedHighestFirst,
        Mutant::LongestWaitIgnored,
        Mutant::LatePageTrimmed,
        Mutant::SunkPriceLeavesStock,
        Mutant::StockOutlastsPrice,
        Mutant::SlotBackAtEnd,
        Mutant::BurstOff,
        Mutant::LowLanesTakeEachToken,
        Mutant::PermitsOff,
        Mutant::MaintenanceOff,
        Mutant::UncleanStartOff,
        Mutant::RetryTimedOut,
        Mutant::RetryWithoutBudget,
        Mutant::PoisonOpensBreaker,
        Mutant::NoBisection,
        Mutant::BreakerNeverOpens,
        Mutant::ProbesWithoutEnd,
        Mutant::LimitFedByRefusals,
        Mutant::LimitOnRawLatency,
        Mutant::BaselineUnderLoad,
        Mutant::ServeInvalidated,
        Mutant::CrossToldEnd,
        Mutant::EndWhileWaiting,
        Mutant::AnnouncedWhileWaiting,
        Mutant::SoftTimePastMaxAge,
        Mutant::NoSoftTime,
        Mutant::MaintenanceCounts,
        Mutant::CheckoutCrossesDay,
        Mutant::NoWithoutMaxAge,
        Mutant::ShareSomebodysOwn,
        Mutant::ShareOtherList,
        Mutant::ShareDespiteOwnPrices,
        Mutant::FactsHaveNoAge,
        Mutant::FactsHaveNoStamp,
        Mutant::AgeFromLanding,
        Mutant::MarkWithOldStamp,
        Mutant::PairWordsIgnored,
        Mutant::StampAtLanding,
        Mutant::SettleNeverExpires,
        Mutant::AnnouncementIgnored,
        Mutant::WidenToTooLittle,
        Mutant::ReplaySkipped,
        Mutant::SavedCellsForgotten,
        Mutant::JournalNotMissed,
        Mutant::PendingNeverExpires,
        Mutant::PendingIgnored,
        Mutant::PendingUndoubted,
        Mutant::MissedForgotten,
        Mutant::HalfARequestIsSeen,
        Mutant::ZeroKeepsItsPlace,
        Mutant::IssuedRowKeepsItsPlace,
        Mutant::OneNumberZerosFirst,
        Mutant::HotRowsMoveToTheEnd,
        Mutant::NothingFromAhead,
        Mutant::RestartForgetsWhatWasIssued,
        Mutant::AnyCursorIsOurs,
        Mutant::LeftEpochTaken,
        Mutant::GapTaken,
        Mutant::RejectedKeepsItsNumber,
        Mutant::ReusedNumberUnseen,
        Mutant::OldAddTaken,
        Mutant::LateSetTaken,
        Mutant::PendingOutlivesReservation,
        Mutant::AddNeedsNoBase,
        Mutant::RejectedUnmarked,
        Mutant::NotOwnerTaken,
        Mutant::NumbersForgotten,
        Mutant::EventIdForgotten,
        Mutant::SnapshotReplaysAll,
        Mutant::OldSnapshotTaken,
        Mutant::EmptiedUnguarded,
        Mutant::PartCoversAll,
        Mutant::SnapshotForgetsLater,
        Mutant::NewEpochTaken,
        Mutant::HeartbeatIgnored,
        Mutant::FarHeartbeatUnmarked,
        Mutant::NoiseLeavesAHole,
        Mutant::SkipLosesWhatComes,
        Mutant::ClockAheadBelieved,
        Mutant::MissedUnmarked,
        Mutant::LedgerUnbounded,
        Mutant::NumberingForgotten,
        Mutant::RemovedRowComesBack,
        Mutant::UngivenNetIsZero,
        Mutant::VisibleBeforeDurable,
        Mutant::AcknowledgedBeforeDurable,
        Mutant::EarlyIsNotHeld,
        Mutant::ZeroWaitsItsTurn,
        Mutant::PurgedUnsaid,
        Mutant::VersionsBeginAnew,
        Mutant::DoubtIsNotHeld,
        Mutant::MassZeroUnguarded,
        Mutant::PurgeForgets,
        Mutant::PublishedBeforeDurable,
        Mutant::ConsumedBeforeRows,
        Mutant::LostVersionsStay,
        Mutant::BasketTrustsDoubt,
        Mutant::DoubtAnsweredFromBefore,
        Mutant::DoubtUnsaid,
        Mutant::OlderFileTaken,
        Mutant::SmallFileGuarded,
        Mutant::ForcedFileGuarded,
        Mutant::ShrunkFileTaken,
        Mutant::ZeroedFileTaken,
        Mutant::AnswerFromBeforeTaken,
        Mutant::InvalidatedNotFirst,
        Mutant::FailedPriceAskedAtOnce,
        Mutant::LeastUrgentNever,
        Mutant::PriceEndForgotten,
        Mutant::ListenerNotAwaited,
        Mutant::UnknownListSpared,
        Mutant::UnfitIsSold,
        Mutant::ExcludedIsSold,
        Mutant::ChannelsStockIsCounted,
        Mutant::EachLocationAtLeastZero,
        Mutant::ReserveIgnored,
        Mutant::ThresholdIsSafetyStock,
        Mutant::ShareBeforeReserve,
        Mutant::CapBeforePack,
        Mutant::PackRoundedUp,
        Mutant::LessThanNothingIsShown,
        Mutant::ZeroLocationIsSold,
        Mutant::HeldLocationIsZero,
        Mutant::NoOnlyZeroes,
        Mutant::EndedPriceIsAsked,
        Mutant::InvalidatedForEver,
        Mutant::HeldUnsaid,
        Mutant::AnyCurrencyIsAsked,
        Mutant::TaxRateIsInvented,
        Mutant::BelowTheFloorPrice,
        Mutant::PackCostsOneUnit,
        Mutant::BaseQuantityIgnored,
        Mutant::RoundedTwice,
        Mutant::EndingBelowThePrice,
        Mutant::RemovedAtOnce,
        Mutant::RiseAtOnce,
        Mutant::FallWaits,
        Mutant::LatestRiseIsShown,
        Mutant::SmallMoveBelowFloor,
        Mutant::EverySmallMoveIsShown,
        Mutant::SamePublishedAgain,
    ];

    /// As it is written in the code.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

#[cfg(feature = "mutants")]
mod switch {
    use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

    use super::Mutant;

    const NONE: u8 = u8::MAX;
    /// The environment was not looked at yet.
    const UNREAD: u8 = u8::MAX - 1;

    static ACTIVE: AtomicU8 = AtomicU8::new(UNREAD);
    static REACHED: AtomicBool = AtomicBool::new(false);

    /// Breaks one rule in the whole process, or (`None`) none.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.store(mutant.map_or(NONE, |mutant| mutant as u8), Ordering::SeqCst);
        REACHED.store(false, Ordering::SeqCst);
    }

    /// Whether the active switch was asked for since it was activated.
    pub fn was_reached() -> bool {
        REACHED.load(Ordering::SeqCst)
    }

    pub fn is_on(mutant: Mutant) -> bool {
        let on = active() == mutant as u8;
        if on && !REACHED.swap(true, Ordering::Relaxed) {
            tell();
        }
        on
    }

    fn active() -> u8 {
        match ACTIVE.load(Ordering::Relaxed) {
            UNREAD => from_environment(),
            known => known,
        }
    }

    /// `COMPTOIR_MUTANT` names the switch a whole test program runs with.
    fn from_environment() -> u8 {
        let name = std::env::var("COMPTOIR_MUTANT").ok();
        let mutant = name.map(|name| {
            let named = Mutant::ALL.iter().find(|mutant| mutant.name() == name);
            *named.unwrap_or_else(|| panic!("COMPTOIR_MUTANT: there is no switch {name}"))
        });
        let active = mutant.map_or(NONE, |mutant| mutant as u8);
        // Whoever called `activate` meanwhile is right.
        let _ = ACTIVE.compare_exchange(UNREAD, active, Ordering::SeqCst, Ordering::SeqCst);
        ACTIVE.load(Ordering::SeqCst)
    }

    /// Leaves word for whoever started this program: the file `COMPTOIR_MUTANT_REACHED` exists from now on.
    fn tell() {
        if let Some(path) = std::env::var_os("COMPTOIR_MUTANT_REACHED") {
            std::fs::write(path, "").expect("the file can be written");
        }
    }
}

#[cfg(feature = "mutants")]
pub use switch::{activate, is_on, was_reached};

/// Nothing is broken.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is_on(_: Mutant) -> bool {
    false
}

/// Whether this rule is broken on purpose: always `false` without the feature `mutants`.
macro_rules! mutant {
    ($name:ident) => {
        crate::mutants::is_on(crate::mutants::Mutant::$name)
    };
}

pub(crate) use mutant;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_is_listed_once_in_order() {
        for (index, mutant) in Mutant::ALL.iter().enumerate() {
            assert_eq!(*mutant as usize, index, "{mutant:?}");
        }
    }

    #[cfg(not(feature = "mutants"))]
    #[test]
    fn nothing_is_broken_without_the_feature() {
        let broken = mutant!(LanesOff);
        assert!(!broken);
    }
}
