/// Contracts that every verbs provider must pass, a device that breaks them on purpose, and what tests of remote memory need.
///
/// A provider passes by implementing one method of [io.leasehold.testkit.RdmaProviderContract]. A test that wants to know
/// whether it would notice a fault runs on a [io.leasehold.testkit.MutantDevice].
package io.leasehold.testkit;
