//! What really happened. A fault that is never injected and a path that is never taken prove nothing, so each must have been
//! seen at least once over the seeds of the suite.

use crate::scenario::FaultKind;

macro_rules! paths {
    ($($name:ident,)*) => {
        /// Something that must have happened at least once.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Path { $($name,)* }

        impl Path {
            pub const ALL: &[Path] = &[$(Path::$name,)*];
        }
    };
}

paths! {
    // Faults of the ERP.
    Slow,
    Hang,
    Refuses,
    Busy,
    Down,
    CutOff,
    Unreadable,
    GarbledRows,
    Poisoned,
    // What callers and operators do.
    CallerLeft,
    AnsweredAtDeadline,
    DemandedFresh,
    Invalidated,
    InvalidatedInAir,
    Announced,
    AnnouncedTookEffect,
    Settled,
    SettledWhileHeld,
    ClockStepped,
    // The read path.
    ServedFresh,
    ServedAndRefreshed,
    ServedForLackOfBetter,
    RodeAlong,
    RefreshedAhead,
    EndOfValidityHeld,
    LandedTooOldToStay,
    // The dispatcher.
    JoinedAir,
    JoinedWait,
    SecondAir,
    Parked,
    Lifted,
    StockRode,
    RiderTaken,
    RiderForgotten,
    RefusedEarly,
    RefusedKeyFetched,
    QueueFull,
    BackgroundShed,
    Sunk,
    BackgroundLeft,
    LowestLaneLeft,
    WindowExhausted,
    BurstExhausted,
    CeilingHeld,
    TurnsTaken,
    MaintenanceWaited,
    UncleanStart,
    TimedOut,
    Retried,
    Bisected,
    Denied,
    DeniedAnswered,
    BreakerOpened,
    HalfOpen,
    BreakerClosedAgain,
    LimitLowered,
    LimitRaised,
}

impl Path {
    pub fn of(kind: FaultKind) -> Path {
        match kind {
            FaultKind::Slow(_) => Path::Slow,
            FaultKind::Hang => Path::Hang,
            FaultKind::Refuses => Path::Refuses,
            FaultKind::Busy => Path::Busy,
            FaultKind::Down => Path::Down,
            FaultKind::Unreadable => Path::Unreadable,
            FaultKind::Rows(_) => Path::GarbledRows,
            FaultKind::Poison(_) => Path::Poisoned,
        }
    }
}

/// How often each path was taken.
#[derive(Clone, Debug)]
pub struct Coverage(Vec<u64>);

impl Default for Coverage {
    fn default() -> Self {
        Self(vec![0; Path::ALL.len()])
    }
}

impl Coverage {
    pub fn saw(&mut self, path: Path) {
        self.0[path as usize] += 1;
    }

    pub fn saw_if(&mut self, path: Path, happened: bool) {
        self.0[path as usize] += u64::from(happened);
    }

    pub fn add(&mut self, other: &Coverage) {
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            *sum += count;
        }
    }

    pub fn never(&self) -> Vec<Path> {
        Path::ALL.iter().copied().filter(|path| self.0[*path as usize] == 0).collect()
    }

    pub fn print(&self) {
        let counts: Vec<String> = Path::ALL.iter().map(|path| format!("{path:?} {}", self.0[*path as usize])).collect();
        println!("{}", counts.join(", "));
    }
}
