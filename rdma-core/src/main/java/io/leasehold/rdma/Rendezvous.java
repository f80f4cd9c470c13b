package io.leasehold.rdma;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// A bulletin board where the processes of one cluster find each other: small named values and barriers.
///
/// Names belong to a cluster id, so any number of clusters share one server. No run of a cluster leaves anything behind that
/// the next run trips over, and nobody has to restart the server between runs:
///
/// - A value lives as long as its publisher: the [Rendezvous] that published it keeps refreshing it, and puts it back when the
///   server has lost it. When the publisher closes, the value stays for [#LEFT_BEHIND]; when it dies, for no more than [#LAPSE].
/// - A barrier opens only when all its parties are there **at the same moment**, each having confirmed that it sees the
///   others. An arrival that a crashed run left at the barrier confirms nothing and is dropped.
///
/// A cluster that is restarted within [#LAPSE] of a crash may still see a value of the run that crashed, until the new process
/// publishes under that name; a launcher that cannot have that gives each run a cluster id of its own.
///
/// It is no place for truth: when it is lost, new connections cannot be made, and running ones go on. Thread-safe.
public interface Rendezvous extends AutoCloseable {
    /// The longest value, in bytes.
    int VALUE_MAX_BYTES = 1 << 16;

    /// The most parties of a barrier.
    int PARTIES_MAX = 1024;

    /// How long a value outlives a publisher that died.
    Duration LAPSE = Duration.ofSeconds(30);

    /// How long a value outlives a publisher that closed its rendezvous.
    Duration LEFT_BEHIND = Duration.ofDays(1);

    /// A rendezvous for the processes that are really threads of this JVM; it lasts while anybody has it open.
    ///
    /// @param clusterId any text; those who name the same cluster meet
    static Rendezvous embedded(String clusterId) {
        return EmbeddedRendezvous.open(clusterId);
    }

    /// A rendezvous at the memcached that `conf` names.
    ///
    /// @param clusterId any text; those who name the same cluster meet
    /// @param timeout the longest that the server may take to answer, here and in every later call
    /// @throws RendezvousException if there is no memcached there, or it does not answer in time
    static Rendezvous memcached(MemcachedConf conf, String clusterId, Duration timeout) {
        return MemcachedRendezvous.connect(conf, clusterId, timeout, LAPSE);
    }

    /// Puts `value` (up to [#VALUE_MAX_BYTES]) under `name`, replacing what was there.
    ///
    /// @throws RendezvousException if the server cannot be reached in time; the value may or may not be there
    void publish(String name, byte[] value);

    /// The value under `name`, or `null` if there is none.
    ///
    /// @throws RendezvousException if the server cannot be reached in time
    byte @Nullable [] lookup(String name);

    /// Waits until there is a value under `name`.
    ///
    /// @throws RendezvousException if there is none within `timeout`, or the server cannot be reached
    byte[] await(String name, Duration timeout);

    /// Removes the value under `name`, if any.
    ///
    /// @throws RendezvousException if the server cannot be reached in time; the value may or may not be there
    void withdraw(String name);

    /// Waits until `parties` callers have come to the barrier `name`; it can be used again at once. Callers that give different
    /// numbers of parties wait at different barriers.
    ///
    /// @throws RendezvousException if fewer come within `timeout`, naming how many came; or the server cannot be reached
    void barrier(String name, int parties, Duration timeout);

    /// Leaves; what was published stays until withdrawn or expired. Closing twice is harmless, every other call fails from now
    /// on.
    @Override
    void close();
}
