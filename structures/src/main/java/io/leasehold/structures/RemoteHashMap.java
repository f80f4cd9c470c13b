package io.leasehold.structures;

import io.leasehold.lease.LeaseException;
import io.leasehold.lease.NoSuchNameException;
import io.leasehold.lease.Session;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.StringJoiner;
import java.util.concurrent.ConcurrentMap;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A hash map in the memory of a node, shared by all processes that open it by its name, and reached with one-sided operations
/// only: the node's CPU takes no part in reading or writing.
///
/// It is a [ConcurrentMap] with the guarantees of [java.util.concurrent.ConcurrentHashMap]: operations on one key are
/// linearizable, across processes; iterators are weakly consistent, and return each entry that is present throughout exactly
/// once; neither keys nor values can be `null`. It grows and shrinks by itself. Nobody waits for a client that has died: what it had begun,
/// others undo or finish.
///
/// - Two keys are equal iff their encodings by the codec are. So are two values where the map compares them: in [#remove(Object,
///   Object)], [#replace(Object, Object, Object)], [#containsValue(Object)] and the views; [#equals(Object)] compares as [Map]
///   says.
/// - A key may be encoded in up to 64 KiB, a value in up to 1 MiB.
/// - The functions given to [#compute] and its kin run in the caller, outside any lock, and run again if another client changes
///   the entry meanwhile: they should have no side effects.
/// - [#size()], [#mappingCount()] and [#isEmpty()] read counters, in one round trip. They are exact when no operation is under
///   way, as long as no client has died in the middle of an insertion or removal.
///
/// An entry may have a *time to live*, by [MapOptions#timeToLive()] or by the call that writes it. Every write sets it anew: an
/// entry that is replaced, computed or merged lives as long as one that is put. The time is the node's, as the session knows it:
/// when its instant comes an entry is absent for all operations and iterators of a handle, but two clients may disagree about it
/// for the sum of their [Session#clockUncertainty()]. The time counts from the call. What has expired takes memory, and counts
/// in [#mappingCount()], until it is replaced or a janitor removes it: a role that one at a time of the handles has which have
/// written or met such entries.
///
/// Round trips to the node, where nothing is split and others do not change the same entry:
///
/// | operation | round trips | if this handle has used the key before and nobody has moved it |
/// |---|---|---|
/// | get, containsKey | 2 | 1 |
/// | put, set, replace, remove, delete, compute, merge of an entry | 3 | 2 |
/// | the same if there is no entry, and nothing to insert | 1 | 1 |
/// | insertion | 3 | 3 |
/// | [#getAll], [#putAll], [#removeAll] | the same for 64 keys as for one | |
///
/// Values over 16 KiB take one more when read. A [NearCache], if the handle has one, saves the transfer of the value, or the round
/// trip.
///
/// Every operation ends within [MapOptions#timeout()] (and what a request that is under way takes), with a
/// [io.leasehold.lease.LeaseException] if need be. [io.leasehold.lease.OutcomeUnknownException] means that the connection broke
/// at the moment that decides the operation and that another client changed the entry since: nobody can tell then.
///
/// Thread-safe; made for virtual threads. The algorithm is RACE hashing (Zuo et al., ATC'21) with other rules for insertion,
/// splits and the reuse of memory; access is protected by leases as in Patronus (Yan et al., FAST'23).
///
/// @param <K> the keys
/// @param <V> the values
public final class RemoteHashMap<K, V> implements ConcurrentMap<K, V>, AutoCloseable {
    private final MapContext<K, V> context;
    private final MapDriver<K, V> driver;
    private final Codec<V> values;
    private final long lifeNanos;
    private final Resizer resizer;
    private final AsyncWorkers workers;
    private final AsyncRemoteHashMap<K, V> async;
    private final Set<K> keySet = new KeySetView<>(this);
    private final Collection<V> valuesView = new ValuesView<>(this);
    private final Set<Map.Entry<K, V>> entrySet = new EntrySetView<>(this);

    private RemoteHashMap(MapContext<K, V> context) {
        this.context = context;
        resizer = new Resizer(context);
        driver = new MapDriver<>(context, resizer);
        values = context.codecs().values();
        lifeNanos = context.options().timeToLive().toNanos();
        workers = new AsyncWorkers("map-" + context.name(), context.memory().clock());
        if (!context.options().janitorPause().isZero()) {
            context.expiry().whenInUse(this::employJanitor);
        }
        async = new AsyncRemoteHashMap<>(this, workers);
    }

    /// Opens the map `name`, making it if there is none, with the default options.
    ///
    /// @throws IllegalArgumentException if the map exists with other codecs
    public static <K, V> RemoteHashMap<K, V> open(Session session, String name, Codec<K> keys, Codec<V> values) {
        return open(session, name, keys, values, MapOptions.defaults());
    }

    /// Opens the map `name`, making it if there is none.
    ///
    /// @throws IllegalArgumentException if the map exists with other codecs
    public static <K, V> RemoteHashMap<K, V> open(Session session, String name, Codec<K> keys, Codec<V> values,
            MapOptions options) {
        Memory memory = openMemory(session, name, options);
        try {
            return on(memory, name, keys, values, options);
        } catch (RuntimeException e) {
            memory.close();
            throw e;
        }
    }

    private static Memory openMemory(Session session, String name, MapOptions options) {
        try {
            return LeasedMemory.open(session, name, MapRoot.bytes(options.maxDepth()), options.protection());
        } catch (NoSuchNameException e) {
            // It exists with a smaller root: its directory cannot become as deep, and how deep it can is written there.
            try {
                return LeasedMemory.open(session, name, MapRoot.bytes(0), options.protection());
            } catch (NoSuchNameException _) {
                throw new IllegalArgumentException("'" + name + "' is no map: there is something smaller of that name", e);
            }
        }
    }

    /// Destroys the map `name` with all that is in it; operations on it fail from then on.
    ///
    /// @throws NoSuchNameException if there is none
    public static void destroy(Session session, String name) {
        session.destroyHeap(name);
    }

    /// Opens the map in `memory`, which it will close.
    static <K, V> RemoteHashMap<K, V> on(Memory memory, String name, Codec<K> keys, Codec<V> values, MapOptions options) {
        return new RemoteHashMap<>(MapContext.open(name, memory, options, keys, values));
    }

    /// The name under which the map was opened.
    public String name() {
        return context.name();
    }

    /// The same map with operations that return at once.
    public AsyncRemoteHashMap<K, V> async() {
        return async;
    }

    @Override
    public @Nullable V get(Object key) {
        return driver.run("get", key(key), Change.get(values)).previous();
    }

    @Override
    public boolean containsKey(Object key) {
        return driver.run("containsKey", key(key), Change.contains(values)).wasPresent();
    }

    @Override
    public @Nullable V put(K key, V value) {
        return driver.run("put", key(key), Change.put(values, value(value), lifeNanos)).previous();
    }

    /// As [#put(Object, Object)], for a time: the entry expires `timeToLive` from now.
    ///
    /// @param timeToLive 1 ms to [MapOptions#TIME_TO_LIVE_MAX], or zero for ever
    public @Nullable V put(K key, V value, Duration timeToLive) {
        return driver.run("put", key(key), Change.put(values, value(value), MapOptions.lifeNanos(timeToLive))).previous();
    }

    /// Associates `key` with `value`, as [#put] does, without reading what it was associated with.
    public void set(K key, V value) {
        driver.run("set", key(key), Change.set(values, value(value), lifeNanos));
    }

    /// As [#set(Object, Object)], for a time.
    ///
    /// @param timeToLive 1 ms to [MapOptions#TIME_TO_LIVE_MAX], or zero for ever
    public void set(K key, V value, Duration timeToLive) {
        driver.run("set", key(key), Change.set(values, value(value), MapOptions.lifeNanos(timeToLive)));
    }

    /// As [#putIfAbsent(Object, Object)], for a time.
    ///
    /// @param timeToLive 1 ms to [MapOptions#TIME_TO_LIVE_MAX], or zero for ever
    public @Nullable V putIfAbsent(K key, V value, Duration timeToLive) {
        Change<V> change = Change.putIfAbsent(values, value(value), MapOptions.lifeNanos(timeToLive));
        return driver.run("putIfAbsent", key(key), change).previous();
    }

    @Override
    public @Nullable V putIfAbsent(K key, V value) {
        return driver.run("putIfAbsent", key(key), Change.putIfAbsent(values, value(value), lifeNanos)).previous();
    }

    @Override
    public @Nullable V replace(K key, V value) {
        return driver.run("replace", key(key), Change.replace(values, value(value), lifeNanos)).previous();
    }

    @Override
    public boolean replace(K key, V oldValue, V newValue) {
        Change<V> change = Change.replace(values, context.codecs().encode(value(oldValue)), value(newValue), lifeNanos);
        return driver.run("replace", key(key), change).hasChanged();
    }

    @Override
    public @Nullable V remove(Object key) {
        return driver.run("remove", key(key), Change.remove(values)).previous();
    }

    @Override
    public boolean remove(Object key, @Nullable Object value) {
        K wanted = key(key);
        return value != null && driver.run("remove", wanted, Change.remove(values, encoded(value))).hasChanged();
    }

    /// Removes the entry of `key`, as [#remove(Object)] does, without reading its value.
    ///
    /// @return whether there was one
    public boolean delete(K key) {
        return deleteKey(key);
    }

    boolean deleteKey(Object key) {
        return driver.run("delete", key(key), Change.delete(values)).hasChanged();
    }

    @Override
    public @Nullable V compute(K key, BiFunction<? super K, ? super @Nullable V, ? extends @Nullable V> function) {
        Objects.requireNonNull(function, "function");
        return remap("compute", key, value -> function.apply(key, value), () -> function.apply(key, null));
    }

    @Override
    public @Nullable V computeIfAbsent(K key, Function<? super K, ? extends @Nullable V> function) {
        Objects.requireNonNull(function, "function");
        return driver.run("computeIfAbsent", key(key), new Remapping<>(values, null, () -> function.apply(key), lifeNanos)).result();
    }

    @Override
    public @Nullable V computeIfPresent(K key, BiFunction<? super K, ? super V, ? extends @Nullable V> function) {
        Objects.requireNonNull(function, "function");
        Remapping<V> remapping = new Remapping<>(values, value -> function.apply(key, value), null, lifeNanos);
        return driver.run("computeIfPresent", key(key), remapping).result();
    }

    @Override
    public @Nullable V merge(K key, V value, BiFunction<? super V, ? super V, ? extends @Nullable V> function) {
        Objects.requireNonNull(function, "function");
        value(value);
        return remap("merge", key, present -> function.apply(present, value), () -> value);
    }

    private @Nullable V remap(String name, K key, Function<V, @Nullable V> whenPresent,
            Supplier<@Nullable V> whenAbsent) {
        return driver.run(name, key(key), new Remapping<>(values, whenPresent, whenAbsent, lifeNanos)).result();
    }

    /// The entries of those of `keys` that have one; each is read at some time during the call. Costs as many round trips for 64
    /// keys as for one.
    public Map<K, V> getAll(Collection<? extends K> keys) {
        Map<K, V> found = new HashMap<>();
        inBatches("getAll", keys, key -> Change.get(values), (key, change) -> {
            V value = change.previous();
            if (value != null) {
                found.put(key, value);
            }
        });
        return found;
    }

    /// Associates each key of `entries` with its value; each at some time during the call, in any order. Costs as many round
    /// trips for 64 entries as for one.
    @Override
    public void putAll(Map<? extends K, ? extends V> entries) {
        putAllFor(entries, lifeNanos);
    }

    /// As [#putAll(Map)], for a time.
    ///
    /// @param timeToLive 1 ms to [MapOptions#TIME_TO_LIVE_MAX], or zero for ever
    public void putAll(Map<? extends K, ? extends V> entries, Duration timeToLive) {
        putAllFor(entries, MapOptions.lifeNanos(timeToLive));
    }

    private void putAllFor(Map<? extends K, ? extends V> entries, long life) {
        Map<K, V> checked = new HashMap<>();
        entries.forEach((key, value) -> checked.put(key(key), value(value)));
        Function<K, Change<V>> intent = key -> Change.set(values, value(checked.get(key)), life);
        inBatches("putAll", checked.keySet(), intent, (key, change) -> {
        });
    }

    /// Removes the entries of `keys`; each at some time during the call, in any order. Costs as many round trips for 64 keys as
    /// for one.
    ///
    /// @return how many there were
    public long removeAll(Collection<? extends K> keys) {
        long[] removed = new long[1];
        inBatches("removeAll", keys, key -> Change.delete(values), (key, change) -> removed[0] += change.hasChanged() ? 1 : 0);
        return removed[0];
    }

    private void inBatches(String name, Collection<? extends K> keys, Function<K, Change<V>> intent,
            BiConsumer<K, Change<V>> result) {
        List<K> batch = new ArrayList<>(MapDriver.BATCH_KEYS);
        Iterator<? extends K> iterator = keys.iterator();
        while (iterator.hasNext()) {
            batch.add(key(iterator.next()));
            if (batch.size() == MapDriver.BATCH_KEYS || !iterator.hasNext()) {
                List<Change<V>> intents = new ArrayList<>(batch.size());
                batch.forEach(key -> intents.add(intent.apply(key)));
                driver.runAll(name, batch, intents);
                for (int i = 0; i < batch.size(); i++) {
                    result.accept(batch.get(i), intents.get(i));
                }
                batch.clear();
            }
        }
    }

    @Override
    public int size() {
        return (int) Math.min(mappingCount(), Integer.MAX_VALUE);
    }

    /// The number of entries: one round trip. Entries that have expired count until somebody has removed or replaced them.
    public long mappingCount() {
        Deadline deadline = context.deadline("mappingCount");
        try (Access access = context.memory().access()) {
            while (true) {
                try {
                    return Math.max(0, context.counters().sum(access));
                } catch (StaleAccess e) {
                    access.restart();
                    deadline.retry("mappingCount", e);
                }
            }
        }
    }

    @Override
    public boolean isEmpty() {
        return mappingCount() == 0;
    }

    @Override
    public boolean containsValue(Object value) {
        byte[] wanted = bytes(value(cast(value)));
        for (V other : valuesView) {
            if (Arrays.equals(wanted, bytes(other))) {
                return true;
            }
        }
        return false;
    }

    /// Removes one entry whose value has the encoding of `value`.
    boolean removeValue(Object value) {
        byte[] wanted = bytes(value(cast(value)));
        for (Map.Entry<K, V> entry : entrySet()) {
            if (Arrays.equals(wanted, bytes(entry.getValue())) && remove(entry.getKey(), entry.getValue())) {
                return true;
            }
        }
        return false;
    }

    private byte[] bytes(V value) {
        return context.codecs().encode(value).toArray(ValueLayout.JAVA_BYTE);
    }

    boolean containsEntry(Object key, Object value) {
        V present = get(key);
        return present != null && Arrays.equals(bytes(present), bytes(cast(value)));
    }

    /// Removes the entries that it meets on a walk through the map; those inserted meanwhile may stay.
    @Override
    public void clear() {
        MapScan<K, V> scan = new MapScan<>(context);
        for (List<MapScan.Found<K, V>> group = scan.next(); !group.isEmpty(); group = scan.next()) {
            removeAll(group.stream().map(MapScan.Found::key).toList());
        }
    }

    @Override
    public Set<K> keySet() {
        return keySet;
    }

    @Override
    public Collection<V> values() {
        return valuesView;
    }

    @Override
    public Set<Map.Entry<K, V>> entrySet() {
        return entrySet;
    }

    Iterator<Map.Entry<K, V>> iterator() {
        return new MapIterator<>(this, new MapScan<>(context));
    }

    @Override
    public boolean equals(@Nullable Object other) {
        if (other == this) {
            return true;
        }
        if (!(other instanceof Map<?, ?> map)) {
            return false;
        }
        try {
            long count = 0;
            for (Map.Entry<K, V> entry : entrySet) {
                if (!entry.getValue().equals(map.get(entry.getKey()))) {
                    return false;
                }
                count++;
            }
            return count == map.size();
        } catch (ClassCastException | NullPointerException e) {
            return false;
        }
    }

    @Override
    public int hashCode() {
        int hash = 0;
        for (Map.Entry<K, V> entry : entrySet) {
            hash += entry.hashCode();
        }
        return hash;
    }

    @Override
    public String toString() {
        StringJoiner text = new StringJoiner(", ", "{", "}");
        entrySet.forEach(entry -> text.add(entry.toString()));
        return text.toString();
    }

    /// Has this handle do its part in removing what has expired.
    private void employJanitor() {
        Janitor janitor = janitor();
        workers.repeat(() -> {
            try {
                janitor.round();
            } catch (LeaseException _) {
                // The node or the connection failed: the next round may be luckier, and others have the role too.
            }
        }, context.options().janitorPause().toNanos());
    }

    /// One who removes what has expired, when asked.
    Janitor janitor() {
        return new Janitor(context, resizer);
    }

    /// Closes this handle: gives back leases and unused memory. The map stays.
    @Override
    public void close() {
        workers.close();
        context.memory().close();
    }

    private static <T> T value(@Nullable T value) {
        return Objects.requireNonNull(value, "value");
    }

    @SuppressWarnings("unchecked")
    private K key(@Nullable Object key) {
        return (K) Objects.requireNonNull(key, "key");
    }

    @SuppressWarnings("unchecked")
    private V cast(Object value) {
        return (V) value;
    }

    private MemorySegment encoded(Object value) {
        return context.codecs().encode(cast(value));
    }
}
