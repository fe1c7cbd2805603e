//! What was told, held against what is stored: who stays, and who recovers, has heard everything once and in the order of
//! the ids. Whoever comes back without recovery has heard all from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use super::world::{Room, Said, THE_END, Watcher};
use crate::common::database::rows;

/// What is stored in a room, in the order of the ids.
pub(super) fn stored(database: &str, room: i64) -> Vec<(i64, String)> {
    let sql = format!("SELECT id, content FROM messages WHERE chat_id = {room} ORDER BY id");
    rows(database, &sql).into_iter().map(|row| (row[0].parse().unwrap(), row[1].clone())).collect()
}

/// The figures.
pub(super) struct Verdict {
    stored: usize,
    acknowledged: usize,
    refused: usize,
    unanswered: usize,
    /// Those that were refused or unanswered and are there.
    unacknowledged_there: usize,
    tellings: usize,
    /// How often somebody came back.
    pub(super) returns: usize,
    /// When, and how long it took.
    pub(super) acknowledgements: Vec<(Instant, Duration)>,
    /// When each message of the lobby was heard first and last by those who were told it.
    heard: BTreeMap<String, (Instant, Instant)>,
}

impl Verdict {
    pub(super) fn on(database: &str, tea: i64, watchers: &[Watcher], said: Vec<Said>) -> Self {
        let (lobby, tea) = (stored(database, 1), stored(database, tea));
        for room in [&lobby, &tea] {
            assert_eq!(room.last().map(|(_, text)| text.as_str()), Some(THE_END));
            let texts: BTreeSet<&str> = room.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts.len(), room.len(), "something is stored twice");
        }
        let check = |watcher| check(watcher, if watcher.ear.room() == Room::Lobby { &lobby } else { &tea });
        let wrong: Vec<String> = watchers.iter().filter_map(|watcher| check(watcher).err()).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let rows: BTreeMap<&str, i64> = lobby.iter().chain(&tea).map(|(id, text)| (text.as_str(), *id)).collect();
        let (acknowledged, others): (Vec<Said>, Vec<Said>) = said.into_iter().partition(|said| said.id.is_some());
        for said in &acknowledged {
            assert_eq!(rows.get(said.text.as_str()).copied(), said.id, "{} was acknowledged", said.text);
        }
        let is_there = |said: &&Said| rows.contains_key(said.text.as_str());
        let refused = others.iter().filter(|said| said.is_refused).count();
        let wrongly = others.iter().filter(|said| said.is_refused).filter(is_there);
        let wrongly: Vec<_> = wrongly.map(|said| (&said.text, said.took)).collect();
        assert!(wrongly.is_empty(), "refused after so long, and there: {wrongly:?}");
        Self {
            stored: lobby.len() + tea.len(),
            acknowledged: acknowledged.len(),
            refused,
            unanswered: others.len() - refused,
            unacknowledged_there: others.iter().filter(is_there).count(),
            tellings: watchers.iter().map(|watcher| watcher.heard().count()).sum(),
            returns: watchers.iter().map(|watcher| watcher.lives.len() - 1).sum(),
            acknowledgements: acknowledged.iter().map(|said| (said.began, said.took)).collect(),
            heard: BTreeMap::new(),
        }
        .with_heard(watchers)
    }

    fn with_heard(mut self, watchers: &[Watcher]) -> Self {
        for (text, at) in watchers.iter().flat_map(Watcher::heard) {
            let (first, last) = self.heard.entry(text.clone()).or_insert((*at, *at));
            (*first, *last) = ((*first).min(*at), (*last).max(*at));
        }
        self
    }

    /// How long after that moment all had heard what anybody had heard before it.
    pub(super) fn heard_again(&self, since: Instant) -> Duration {
        let before = self.heard.values().filter(|(first, _)| *first <= since);
        before.map(|(_, last)| last.saturating_duration_since(since)).max().unwrap_or_default()
    }

    /// The longest acknowledgement, and one in the middle, of what was said between these moments.
    pub(super) fn acknowledged(&self, from: Instant, to: Instant) -> Acknowledged {
        let within = self.acknowledgements.iter().filter(|(began, _)| (from..to).contains(began));
        let mut took: Vec<Duration> = within.map(|(_, took)| *took).collect();
        took.sort_unstable();
        let longest = took.last().copied().unwrap_or_default();
        Acknowledged { count: took.len(), middle: took.get(took.len() / 2).copied().unwrap_or_default(), longest }
    }
}

pub(super) struct Acknowledged {
    pub(super) count: usize,
    pub(super) middle: Duration,
    pub(super) longest: Duration,
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, middle, longest } = self;
        write!(f, "{count} acknowledged after {middle:.1?}, {longest:.1?} at most")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, acknowledged, refused, unanswered, unacknowledged_there: there, tellings, returns, .. } =
            self;
        write!(
            f,
            "{stored} messages, {acknowledged} acknowledged, {refused} refused, {unanswered} without an answer, of which {there} \
             are there; {tellings} tellings checked, {returns} returns"
        )
    }
}

/// What is wrong with what somebody has heard.
fn check(watcher: &Watcher, rows: &[(i64, String)]) -> Result<(), String> {
    let texts: Vec<&str> = rows.iter().map(|(_, text)| text.as_str()).collect();
    if watcher.ear.recovers() || watcher.lives.len() == 1 {
        let heard: Vec<&str> = watcher.heard().map(|(text, _)| text.as_str()).collect();
        return compare(watcher, 0, &heard, &texts);
    }
    for (number, life) in watcher.lives.iter().enumerate() {
        let heard: Vec<&str> = life.iter().map(|(text, _)| text.as_str()).collect();
        let Some(first) = heard.first() else { continue };
        let start = texts.iter().position(|text| text == first);
        let start = start.ok_or_else(|| format!("{} heard {first:?}, which is not there", watcher.name))?;
        // Whoever comes anew has missed what came before.
        let start = if number == 0 { 0 } else { start };
        let is_last = number + 1 == watcher.lives.len();
        let end = if is_last { texts.len() } else { (start + heard.len()).min(texts.len()) };
        compare(watcher, number, &heard, &texts[start..end])?;
    }
    Ok(())
}

fn compare(watcher: &Watcher, life: usize, heard: &[&str], expected: &[&str]) -> Result<(), String> {
    if heard == expected {
        return Ok(());
    }
    let differs = heard.iter().zip(expected).position(|(heard, expected)| heard != expected);
    let at = differs.unwrap_or(heard.len().min(expected.len()));
    let around = |list: &[&str]| format!("{:?}", &list[at.saturating_sub(3)..(at + 4).min(list.len())]);
    let lives: Vec<usize> = watcher.lives.iter().map(Vec::len).collect();
    Err(format!(
        "{}, now of node {}, heard {} and not {}, by connection {life} of {lives:?}: at {at} {} in place of {}",
        watcher.name,
        watcher.node,
        heard.len(),
        expected.len(),
        around(heard),
        around(expected)
    ))
}
