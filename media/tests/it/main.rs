//! One suite for every kind of store, against servers that check signatures as the clouds do.

mod azurite;
mod google;
mod google_signatures;
mod outages;
mod signing;
mod stores;
