//! Which databases get the slots of `max_worker_processes`. Plain arithmetic, no PostgreSQL.
//!
//! Every database with something to do has one worker before any has two. Further workers leave some slots to
//! parallel queries. Idle workers lend their slots: first those that are not the only worker of their
//! database. A database without a worker gets one when something changes there, and once a minute.

use std::cmp::Reverse;

use crate::wake::slots::Slots;

/// A worker that has been idle for so long lends its slot to databases without a worker and to parallel
/// queries. If it is not the only worker of its database, also to databases with more to do than their
/// workers can.
const IDLE: i64 = 1_000_000;
/// The only worker of a database lends its slot to those, too, after having been idle for so long.
const LONG_IDLE: i64 = 5_000_000;
/// How long a worker may be busy while another database waits for its first worker.
const TURN: i64 = 1_000_000;
/// How soon to decide again while slots are missing.
const AGAIN: i64 = 250_000;

/// A database.
#[derive(Clone, Debug, Default)]
pub struct Team {
    /// Since when it needs a worker and has none.
    pub waiting_since: Option<i64>,
    /// Its workers have more to do than they can.
    pub more: bool,
    /// How many workers it may have.
    pub allowed: usize,
    /// Whether one may be started now.
    pub can_start: bool,
    /// Its workers, starting ones included.
    pub members: Vec<Member>,
}

/// A worker.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its place in the database.
    pub place: usize,
    pub doing: Doing,
    /// Since when it runs.
    pub since: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Starting,
    Working,
    /// Since then.
    Idle(i64),
    /// It has been asked to leave.
    Leaving,
}

/// How a worker is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// If it finds nothing to do.
    IfIdle,
    /// After what it does now.
    AfterThis,
}

/// What the launcher does now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Indexes of the databases that get one more worker.
    pub starts: Vec<usize>,
    /// Index of the database, place of the worker in it, how the worker is asked.
    pub leaves: Vec<(usize, usize, Leave)>,
    /// When to decide again, whatever happens.
    pub again_at: Option<i64>,
}

/// Decides for all databases.
pub fn decide(now: i64, slots: Slots, teams: &[Team]) -> Decision {
    let mut decision = Decision::default();
    let mut counts: Vec<usize> = teams.iter().map(|team| team.members.len()).collect();
    let mut held: usize = counts.iter().sum();
    let mut waiting: Vec<usize> = (0..teams.len())
        .filter(|index| {
            counts[*index] == 0 && teams[*index].waiting_since.is_some() && teams[*index].can_start
        })
        .collect();
    waiting.sort_by_key(|index| teams[*index].waiting_since);
    let served = waiting.len().min(slots.usable().saturating_sub(held));
    for index in &waiting[..served] {
        decision.starts.push(*index);
        counts[*index] += 1;
        held += 1;
    }
    let lacking = waiting.len() - served;
    while held < slots.settled() && lacking == 0 {
        let next = (0..teams.len())
            .filter(|index| teams[*index].can_start && counts[*index] < teams[*index].allowed)
            .min_by_key(|index| (!teams[*index].more, counts[*index]));
        let Some(index) = next else { break };
        decision.starts.push(index);
        counts[index] += 1;
        held += 1;
    }
    let over = held.saturating_sub(slots.settled());
    let hungry = (0..teams.len())
        .filter(|index| {
            teams[*index].more && teams[*index].can_start && counts[*index] < teams[*index].allowed
        })
        .count();
    decision.leaves = leaves(now, teams, lacking, over, hungry);
    if lacking > 0 || over > 0 || hungry > 0 {
        decision.again_at = Some(now + AGAIN);
    }
    decision
}

/// Which workers are asked to leave: for databases without a worker (`lacking`), for parallel queries
/// (`over`), and for databases that could use one more worker (`hungry`).
fn leaves(
    now: i64,
    teams: &[Team],
    lacking: usize,
    over: usize,
    hungry: usize,
) -> Vec<(usize, usize, Leave)> {
    let members = || {
        teams
            .iter()
            .enumerate()
            .flat_map(|(index, team)| team.members.iter().map(move |member| (index, team, member)))
    };
    let leaving = members()
        .filter(|(.., member)| member.doing == Doing::Leaving)
        .count();
    let mut idle: Vec<(usize, usize, bool, i64)> = members()
        .filter_map(|(index, team, member)| match member.doing {
            Doing::Idle(since) => Some((index, member.place, team.members.len() > 1 && !team.more, since)),
            _ => None,
        })
        .collect();
    // Workers that are not the only one of their database come first, then those idle for longest.
    idle.sort_by_key(|(_, _, beyond, since)| (!*beyond, *since));
    let mut asked: Vec<(usize, usize, Leave)> = Vec::new();
    let total = |needed: usize| needed.saturating_sub(leaving);
    for (index, place, beyond, since) in idle {
        let rested = now - since >= IDLE;
        let should_leave = asked.len() < total(lacking)
            || rested && asked.len() < total(lacking.max(over))
            || rested
                && (beyond || now - since >= LONG_IDLE)
                && asked.len() < total(lacking.max(over).max(hungry));
        if should_leave {
            asked.push((index, place, Leave::IfIdle));
        }
    }
    let mut working: Vec<(usize, usize, bool, i64)> = members()
        .filter(|(.., member)| member.doing == Doing::Working)
        .map(|(index, team, member)| (index, member.place, team.members.len() > 1, member.since))
        .filter(|(.., beyond, since)| *beyond || now - *since >= TURN)
        .collect();
    working.sort_by_key(|(.., beyond, since)| (Reverse(*beyond), *since));
    let still = total(lacking).saturating_sub(asked.len());
    let go = working.into_iter().take(still);
    asked.extend(go.map(|(index, place, ..)| (index, place, Leave::AfterThis)));
    asked
}

#[cfg(test)]
mod tests;
