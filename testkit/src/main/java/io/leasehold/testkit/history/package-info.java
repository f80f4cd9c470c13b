/// Histories of concurrent operations, recorded in any number of threads and processes, and checks whether they could have
/// been the history of a map, a queue or a word that does one thing at a time.
package io.leasehold.testkit.history;
