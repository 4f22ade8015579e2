//! What each caller has sent in its current minute, as this process knows it. Bounded: whoever has
//! many addresses makes us forget windows, not fill the memory.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// How long a window lasts, from its first request on.
pub(super) const LENGTH: Duration = Duration::MINUTE;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Everything under `/auth/`.
    Auth,
    /// Files.
    Upload,
    /// The rest.
    General,
}

/// For whom it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    User(Uuid),
    Address(IpAddr),
    /// No address is known: a router that is called without a connection.
    Unknown,
}

impl Caller {
    /// Whoever has an IPv6 address has the whole /64 around it.
    pub(super) fn at(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Self::Address(Ipv6Addr::from(network).into())
            }
            Some(address) => Self::Address(address),
            None => Self::Unknown,
        }
    }
}

/// Who sent what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub class: Class,
    pub caller: Caller,
}

/// A caller's current minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// How many requests came, this one included.
    pub taken: u32,
    pub ends: OffsetDateTime,
}

impl Window {
    fn fresh(now: OffsetDateTime) -> Self {
        Self {
            taken: 0,
            ends: now + LENGTH,
        }
    }

    /// A window that ends later than it could was opened before the clock was put back.
    fn is_open(&self, now: OffsetDateTime) -> bool {
        now < self.ends && self.ends - now <= LENGTH
    }
}

/// The windows of all callers.
#[derive(Debug)]
pub(super) struct Windows {
    all: Mutex<HashMap<Key, Window>>,
    most: usize,
}

impl Windows {
    /// Room for this many, at least two.
    pub(super) fn new(most: usize) -> Self {
        Self {
            all: Mutex::default(),
            most: most.max(2),
        }
    }

    /// The window as it is.
    pub(super) fn look(&self, key: Key, now: OffsetDateTime) -> Window {
        let known = self.all().get(&key).copied();
        known
            .filter(|window| window.is_open(now))
            .unwrap_or_else(|| Window::fresh(now))
    }

    /// The window with one more request.
    pub(super) fn take(&self, key: Key, now: OffsetDateTime) -> Window {
        let mut all = self.all();
        let known = all.get(&key).copied().filter(|window| window.is_open(now));
        let mut window = known.unwrap_or_else(|| Window::fresh(now));
        window.taken = window.taken.saturating_add(1);
        self.put(&mut all, key, window, now);
        window
    }

    /// Takes over what the shared counts say.
    pub(super) fn learn(&self, key: Key, told: Window, now: OffsetDateTime) {
        let mut all = self.all();
        let known = all.get(&key).copied().filter(|window| window.is_open(now));
        // Answers may overtake each other.
        if known.is_none_or(|known| told.ends >= known.ends || told.taken > known.taken) {
            self.put(&mut all, key, told, now);
        }
    }

    fn put(&self, all: &mut HashMap<Key, Window>, key: Key, window: Window, now: OffsetDateTime) {
        if all.len() >= self.most && !all.contains_key(&key) {
            all.retain(|_, window| window.is_open(now));
        }
        if all.len() >= self.most && !all.contains_key(&key) {
            forget_half(all);
        }
        all.insert(key, window);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The half that ends first.
fn forget_half(all: &mut HashMap<Key, Window>) {
    let mut by_end: Vec<(OffsetDateTime, Key)> = all
        .iter()
        .map(|(key, window)| (window.ends, *key))
        .collect();
    let half = by_end.len() / 2;
    by_end.select_nth_unstable_by_key(half, |(ends, _)| *ends);
    for (_, key) in &by_end[..half] {
        all.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-01-15 12:00 UTC);

    fn key(number: u128) -> Key {
        Key {
            class: Class::General,
            caller: Caller::User(Uuid::from_u128(number)),
        }
    }

    #[test]
    fn a_window_begins_with_its_first_request_and_lasts_a_minute() {
        let windows = Windows::new(10);
        let late = NOON + Duration::seconds(59);
        assert_eq!(windows.take(key(1), late).taken, 1);
        let next = late + Duration::seconds(59);
        assert_eq!(windows.take(key(1), next).taken, 2);
        assert_eq!(windows.look(key(1), next).taken, 2);
        let after = late + LENGTH;
        assert_eq!(windows.look(key(1), after).taken, 0);
        let fresh = windows.take(key(1), after);
        assert_eq!((fresh.taken, fresh.ends), (1, after + LENGTH));
    }

    #[test]
    fn callers_and_classes_are_counted_apart() {
        let windows = Windows::new(10);
        windows.take(key(1), NOON);
        assert_eq!(windows.take(key(2), NOON).taken, 1);
        let upload = Key {
            class: Class::Upload,
            ..key(1)
        };
        assert_eq!(windows.take(upload, NOON).taken, 1);
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out() {
        let windows = Windows::new(10);
        windows.take(key(1), NOON + Duration::DAY);
        assert_eq!(windows.take(key(1), NOON).taken, 1);
    }

    #[test]
    fn many_callers_do_not_fill_the_memory_and_the_newest_are_remembered() {
        let windows = Windows::new(100);
        for number in 0..10_000 {
            let now = NOON + Duration::milliseconds(i64::try_from(number).expect("small"));
            windows.take(key(number), now);
            assert!(windows.all().len() <= 100);
        }
        let now = NOON + Duration::seconds(10);
        assert_eq!(windows.look(key(9_999), now).taken, 1);
    }

    #[test]
    fn what_ended_makes_room_first() {
        let windows = Windows::new(3);
        windows.take(key(1), NOON);
        let later = NOON + Duration::seconds(50);
        windows.take(key(2), later);
        windows.take(key(3), later);
        windows.take(key(4), NOON + LENGTH);
        for number in [2, 3, 4] {
            assert_eq!(windows.look(key(number), NOON + LENGTH).taken, 1);
        }
    }

    #[test]
    fn what_the_others_counted_is_taken_over_and_nothing_older() {
        let windows = Windows::new(10);
        let told = |taken, seconds| Window {
            taken,
            ends: NOON + Duration::seconds(seconds),
        };
        windows.take(key(1), NOON);
        windows.learn(key(1), told(7, 40), NOON);
        assert_eq!(windows.look(key(1), NOON).taken, 7);
        windows.learn(key(1), told(6, 39), NOON);
        assert_eq!(windows.look(key(1), NOON).taken, 7);
        windows.learn(key(1), told(1, 60), NOON);
        assert_eq!(windows.look(key(1), NOON).taken, 1);
    }

    #[test]
    fn an_ipv6_address_counts_as_its_network() {
        let at = |text: &str| Caller::at(Some(text.parse().expect("an address")));
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }
}
