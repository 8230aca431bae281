//! Which databases get slots, in servers with few and with many.

use super::*;

const NOW: i64 = 1_000_000_000;
const SECOND: i64 = 1_000_000;

/// As PostgreSQL comes: the launchers of logical replication and of this extension run.
const DEFAULT: Slots = Slots {
    total: 8,
    others: 2,
    parallel: 2,
};

fn team(members: &[Doing]) -> Team {
    let member = |(place, doing): (usize, &Doing)| Member {
        place,
        doing: *doing,
        since: NOW - 5 * SECOND,
    };
    Team {
        allowed: 2,
        can_start: true,
        members: members.iter().enumerate().map(member).collect(),
        ..Team::default()
    }
}

fn waiting(since: i64) -> Team {
    Team {
        waiting_since: Some(since),
        ..team(&[])
    }
}

fn hungry(members: &[Doing]) -> Team {
    Team {
        more: true,
        ..team(members)
    }
}

const IDLE_LONG: Doing = Doing::Idle(NOW - 10 * SECOND);

#[test]
fn one_each_before_two_and_some_left_for_parallel_queries() {
    let decision = decide(NOW, DEFAULT, &[waiting(3), waiting(1), waiting(2)]);
    assert_eq!(decision.starts[..3], [1, 2, 0]);
    assert_eq!(decision.starts.len(), 4);
    assert_eq!(decision.again_at, None);
}

#[test]
fn all_slots_where_every_database_needs_its_first() {
    let teams: Vec<Team> = (0..6).map(waiting).collect();
    assert_eq!(decide(NOW, DEFAULT, &teams).starts, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn databases_at_rest_get_no_slot_that_is_for_parallel_queries() {
    let mut teams: Vec<Team> = (0..4).map(|_| team(&[IDLE_LONG])).collect();
    teams.extend([team(&[]), team(&[])]);
    assert_eq!(decide(NOW, DEFAULT, &teams), Decision::default());
}

#[test]
fn the_worker_idle_for_longest_gives_way_to_parallel_queries() {
    let mut teams: Vec<Team> = (0..5)
        .map(|n| team(&[Doing::Idle(NOW - (2 + n) * SECOND)]))
        .collect();
    teams.push(team(&[Doing::Working]));
    let decision = decide(NOW, DEFAULT, &teams);
    assert_eq!(decision.leaves, [(4, 0, Leave::IfIdle), (3, 0, Leave::IfIdle)]);
    // A worker that has been asked to leave counts.
    teams[4].members[0].doing = Doing::Leaving;
    assert_eq!(decide(NOW, DEFAULT, &teams).leaves, [(3, 0, Leave::IfIdle)]);
    // Those that have something to do stay.
    for team in &mut teams {
        team.members[0].doing = Doing::Working;
    }
    assert_eq!(decide(NOW, DEFAULT, &teams).leaves, []);
}

#[test]
fn a_burst_gets_the_slot_of_an_idle_second_worker() {
    let teams = [
        team(&[Doing::Working, IDLE_LONG]),
        team(&[IDLE_LONG]),
        hungry(&[Doing::Working]),
    ];
    let decision = decide(NOW, DEFAULT, &teams);
    assert_eq!(decision.leaves, [(0, 1, Leave::IfIdle)]);
    let gone = [
        team(&[Doing::Working]),
        team(&[IDLE_LONG]),
        hungry(&[Doing::Working]),
    ];
    assert_eq!(decide(NOW, DEFAULT, &gone).starts, [2]);
}

#[test]
fn a_burst_gets_the_slot_of_a_database_at_rest_and_keeps_it() {
    let full = Slots {
        total: 6,
        others: 2,
        parallel: 1,
    };
    let mut teams = [
        team(&[IDLE_LONG]),
        team(&[Doing::Idle(NOW - 2 * SECOND)]),
        hungry(&[Doing::Working]),
    ];
    assert_eq!(decide(NOW, full, &teams).leaves, [(0, 0, Leave::IfIdle)]);
    teams[0] = team(&[]);
    assert_eq!(decide(NOW, full, &teams).starts, [2]);
    teams[2] = team(&[Doing::Working, Doing::Working]);
    assert_eq!(decide(NOW, full, &teams), Decision::default());
    // Until it has something to do itself.
    teams[0] = waiting(NOW);
    assert_eq!(decide(NOW, full, &teams).starts, [0]);
}

#[test]
fn databases_take_turns() {
    let full = Slots { total: 4, ..DEFAULT };
    let mut teams = [team(&[Doing::Working]), team(&[Doing::Idle(NOW)]), waiting(NOW)];
    assert_eq!(decide(NOW, full, &teams).leaves, [(1, 0, Leave::IfIdle)]);
    teams[1] = team(&[Doing::Working]);
    assert_eq!(decide(NOW, full, &teams).leaves, [(0, 0, Leave::AfterThis)]);
    teams[0].members[0].since = NOW;
    assert_eq!(decide(NOW, full, &teams).leaves, [(1, 0, Leave::AfterThis)]);
    teams[1].members[0].since = NOW;
    let decision = decide(NOW, full, &teams);
    assert_eq!(decision.leaves, []);
    assert!(decision.again_at.is_some());
}

#[test]
fn further_workers_make_room_for_first_ones_before_they_are_through() {
    let full = Slots { total: 4, ..DEFAULT };
    let mut teams = [team(&[Doing::Working, Doing::Working]), waiting(NOW)];
    teams[0].members[1].since = NOW;
    assert_eq!(decide(NOW, full, &teams).leaves.len(), 1);
}

#[test]
fn as_many_slots_as_needed_for_no_worker_to_lend_its_own() {
    let needed = |workers| DEFAULT.needed(workers);
    assert_eq!(needed(12), 16);
    for workers in 1..100 {
        let enough = Slots {
            total: needed(workers),
            ..DEFAULT
        };
        let less = Slots {
            total: needed(workers) - 1,
            ..DEFAULT
        };
        assert!(enough.settled() >= workers && less.settled() < workers);
    }
}
