//! What goes wrong with a channel.

use crate::stock::changes::ResyncRequired;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    #[error("there is no such channel")]
    UnknownChannel,
    #[error(transparent)]
    ResyncRequired(#[from] ResyncRequired),
    /// Of snapshots: some rows would be by the old policy, some by the new.
    #[error("the channel's rows are just worked out anew")]
    Recomputing,
    #[error("it could not be made durable; storage failed, and only a restart helps")]
    NotDurable,
    #[error("the gateway stops")]
    Stopped,
    #[error("{zeroed} of {rows} rows would go to zero, more than the channel's guard allows")]
    GuardRefused { zeroed: u64, rows: u64 },
}

impl ChannelError {
    pub fn reason(&self) -> &'static str {
        match self {
            ChannelError::UnknownChannel => "unknown_channel",
            ChannelError::ResyncRequired(error) => error.reason(),
            ChannelError::Recomputing => "recomputing",
            ChannelError::NotDurable => "not_durable",
            ChannelError::Stopped => "stopping",
            ChannelError::GuardRefused { .. } => "too_many_zeros",
        }
    }

    /// Whether the same request may fare better in a while.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ChannelError::Recomputing | ChannelError::NotDurable | ChannelError::Stopped)
    }
}
