//! What the databases' failures are called, and what helps against them.

/// What comes of asking a database.
pub(crate) type Held<T> = Result<T, Trouble>;

/// A failure in words for clients: no path, no SQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trouble {
    pub(crate) sentence: &'static str,
    pub(crate) remedy: Remedy,
}

/// What helps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Remedy {
    /// Nothing but time.
    Wait,
    /// A new connection, perhaps.
    OpenAnew,
    /// To try the batch once more, at once.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite has one writer at a time"))]
    Repeat,
    /// The jobs of the batch, each for itself: one of them is the cause.
    OneByOne,
}

impl Trouble {
    pub(crate) const fn new(sentence: &'static str, remedy: Remedy) -> Self {
        Self { sentence, remedy }
    }

    /// Columns are missing or hold what they should not.
    pub(crate) const TABLES: Self = Self::new("the database's tables are not as they should be", Remedy::Wait);
    /// By a rule that an outside program has made.
    pub(crate) const REFUSED: Self = Self::new("the database refused it", Remedy::OneByOne);
    /// Whoever opens it anew finds another version.
    pub(crate) const EXCHANGED: Self =
        Self::new("the database was exchanged for one of another version", Remedy::OpenAnew);
    pub(crate) const FULL: Self = Self::new("the disk is full", Remedy::Wait);
    pub(crate) const READ_ONLY: Self = Self::new("the database can't be written to", Remedy::OpenAnew);
    pub(crate) const DAMAGED: Self = Self::new("the database is damaged", Remedy::OpenAnew);
    pub(crate) const MEMORY: Self = Self::new("there is too little memory", Remedy::Wait);
    /// Whatever else.
    pub(crate) const BROKEN: Self = Self::new("the database does not work", Remedy::OpenAnew);
}
