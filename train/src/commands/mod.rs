//! One module a command: its arguments, and the few lines that call the library.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod distill;
pub(crate) mod ensemble;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod inspect;
mod progress;
pub(crate) mod report;
mod scoring;
pub(crate) mod train;

use clap::ValueEnum;
use fer_train::dataset::Split;

/// A split on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitName {
    /// What is learnt from.
    Training,
    /// PublicTest, or `validation`: what everything is selected on.
    #[value(alias = "validation")]
    Public,
    /// PrivateTest, or `test`: to be scored once, for the selected model.
    #[value(alias = "test")]
    Private,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Training => Self::Training,
            SplitName::Public => Self::Validation,
            SplitName::Private => Self::Test,
        }
    }
}
