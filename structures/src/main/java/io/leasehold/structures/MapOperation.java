package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import io.leasehold.lease.OutcomeUnknownException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// One operation on one key, cut into phases, so that the same phase of many can share a doorbell: [#post] adds the steps of a
/// phase, [#take] looks at what they brought and chooses the next phase. For one thread; reused from operation to operation.
///
/// The algorithm is that of RACE hashing (ATC'21) with another insertion, which keeps one committed word for a key at most, ever:
///
/// 1. READ the key's two combined buckets. READ the blocks of all slots with its fingerprint. A block with the key is the entry.
/// 2. To change or remove an entry: one CAS of its slot, which decides the operation.
/// 3. To insert: CAS a *tentative* word into an empty slot (readers ignore it), and READ the buckets again behind it. Two clients
///    that insert the same key both have their word in place before either looks, so at least one sees the other. Who sees an
///    entry takes its claim back and changes that. Who sees a rival's claim in an earlier slot takes its own back and tries
///    again; a rival's in a later slot is removed, whose owner's commit then fails. After [#PATIENT_ROUNDS] an earlier one is
///    removed too: its owner may be dead. Then CAS the own claim to committed, which decides the operation.
///
/// An operation starts over whenever a CAS fails. It does not remember whether its claim is in place, it looks: its block's
/// number is in nobody else's word. So a lost lease or a broken connection at any step is only another start.
final class MapOperation<K, V> {
    /// What has to happen next.
    enum Step {
        /// [#post] again.
        AGAIN,
        /// Nothing; the intent has the result.
        DONE,
        /// Both buckets are full: the subtable has to be split.
        SPLIT,
        /// The subtable is being split: wait, or finish it.
        AWAIT_SPLIT,
        /// Another client inserts the same key: let it.
        AWAIT_RIVAL
    }

    private enum Phase {
        LOCATE, NEAR, CACHED, BUCKETS, BLOCKS, CLAIM, REMOVE_RIVALS, DECIDE, WITHDRAW, SETTLE
    }

    /// How often an insertion makes way for one of the same key in an earlier slot.
    private static final int PATIENT_ROUNDS = 4;
    /// How often a block may be found damaged; memory that is really damaged stays so.
    private static final int DAMAGES_MAX = 64;
    private static final int NONE = -1;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MapContext<K, V> context;
    private final OwnBlock<K, V> block;
    private final BucketPair pair;
    private final Candidates candidates;
    private final SlotSwap swap;
    private final KeyPlace place;
    /// Whether blocks are read under leases that are younger than the slots that led to them, so that the slots have to be read
    /// again.
    private final boolean confirms;
    private final List<MapOperation<K, V>> alone = List.of(this);

    private @Nullable Intent<V> intent;
    private Step next = Step.DONE;
    private Phase phase = Phase.LOCATE;
    private boolean isPosted;
    private int position;
    private long hash;
    private long since;
    private LocationCache.@Nullable Location location;
    private NearEntries.@Nullable Entry near;
    private long nearStamp;
    private long beganNanos;
    private boolean isWriting;
    /// The word with which the operation last claimed a slot, and its index in the pair if it is there.
    private long claimWord;
    private int claim;
    private Intent.@Nullable Action whenAbsent;
    /// The length of the block that the decision takes out of the map.
    private int oldBytes;
    private @Nullable OutcomeUnknownException doubt;
    private int patientRounds;
    private int damages;
    private boolean hasEmptied;

    MapOperation(MapContext<K, V> context) {
        this.context = context;
        block = new OwnBlock<>(context);
        place = new KeyPlace(context);
        pair = new BucketPair(context.shape());
        candidates = new Candidates(pair);
        swap = new SlotSwap(context.counters());
        confirms = context.options().protection() == Protection.BLOCK;
    }

    /// Begins an operation.
    ///
    /// @return the [Access#since()] of what it relies on, or `Long.MAX_VALUE` if it relies on nothing: its access has to begin
    ///        there
    long begin(K key, Intent<V> newIntent) {
        intent = newIntent;
        next = Step.AGAIN;
        block.begin(key, newIntent);
        hash = block.image().hash();
        pair.locate(hash);
        candidates.clear();
        swap.begin(hash);
        claimWord = 0;
        claim = NONE;
        whenAbsent = null;
        doubt = null;
        patientRounds = 0;
        damages = 0;
        hasEmptied = false;
        since = place.begin(hash);
        lookAgain();
        if (context.near().isOn() && beginNear()) {
            since = near == null ? Long.MAX_VALUE : Math.min(since, near.since());
            return since;
        }
        location = context.locations().get(hash);
        // With a place that is too old the access would start over, and with it all operations that share it.
        if (location != null && context.memory().mayRely(location.slot(), location.since())) {
            phase = Phase.CACHED;
            since = Math.min(since, location.since());
        } else {
            location = null;
        }
        return since;
    }

    /// What the operation relies on, as [#begin] returned it; `Long.MAX_VALUE` when it has started over.
    long since() {
        return since;
    }

    /// Begins with what the near cache has.
    ///
    /// @return whether it has something: the result, or, if [#near] is set, what has to be validated
    private boolean beginNear() {
        near = null;
        if (intent().writes()) {
            isWriting = true;
            context.near().beginWrite(hash);
            return false;
        }
        nearStamp = context.near().stamp(hash);
        beganNanos = context.near().now();
        NearEntries.Entry found = context.near().get(hash);
        if (found == null || !block.hasKeyOf(found.block())) {
            return false;
        }
        if (context.near().isValidated()) {
            near = found;
            phase = Phase.NEAR;
            return true;
        }
        if (context.expiry().isPast(KeyValueBlock.expiry(found.block()))) {
            return false;
        }
        intent().present(intent().readsValue() ? KeyValueBlock.value(found.block()) : MemorySegment.NULL);
        next = Step.DONE;
        return true;
    }

    /// This operation as a batch of one.
    List<MapOperation<K, V>> alone() {
        return alone;
    }

    Step next() {
        return next;
    }

    /// Whether the last doorbell carried steps of this operation.
    boolean isPosted() {
        return isPosted;
    }

    /// Leaves the next doorbell to others.
    void pass() {
        isPosted = false;
    }

    /// Ends without a result.
    void giveUp() {
        next = Step.DONE;
    }

    long hash() {
        return hash;
    }

    /// Whether it has removed an entry.
    boolean hasEmptied() {
        return hasEmptied;
    }

    /// The subtable that the last step was about.
    long subtable() {
        return place.subtable();
    }

    String phase() {
        return phase.name();
    }

    private Intent<V> intent() {
        if (intent == null) {
            throw new IllegalStateException("no operation has begun");
        }
        return intent;
    }

    /// Adds the steps of the phase.
    ///
    /// @return about how many bytes they transfer
    int post(Access access) {
        isPosted = true;
        block.next();
        swap.postOwed(access);
        switch (phase) {
            case LOCATE -> place.post(access);
            case NEAR -> {
                access.rely(SlotWord.address(near().word()));
                position = access.read(HeapKind.INDEX, near().slot(), Long.BYTES);
            }
            case CACHED -> postCached(access);
            case BUCKETS -> {
                if (intent().isEager()) {
                    block.post(access);
                }
                position = pair.post(access, place.subtable());
                place.postIfBehind(access);
            }
            case BLOCKS -> {
                candidates.post(access);
                if (confirms) {
                    position = pair.post(access, place.subtable());
                }
                return candidates.bytes();
            }
            case CLAIM -> {
                block.post(access);
                // In order: the block is there before the claim, and the buckets are read after it.
                swap.post(access);
                position = pair.post(access, place.subtable());
            }
            case REMOVE_RIVALS -> candidates.postRemovals(access);
            case DECIDE -> {
                if (!SlotWord.isEmpty(swap.desired())) {
                    block.post(access);
                }
                swap.post(access);
            }
            case WITHDRAW -> swap.post(access);
            case SETTLE -> {
            }
        }
        return SubtableShape.COMBINED_BYTES + block.postedBytes();
    }

    private void postCached(Access access) {
        LocationCache.Location cached = cached();
        if (intent().isEager()) {
            block.post(access);
        }
        int length = intent().readsValue() ? cached.blockBytes() : Math.min(block.image().keyEnd(), cached.blockBytes());
        // The slot behind the block: if the word is still there, the block was not reused when it was read.
        position = access.readGuessed(SlotWord.address(cached.word()), length);
        access.read(HeapKind.INDEX, cached.slot(), Long.BYTES);
    }

    private NearEntries.Entry near() {
        if (near == null) {
            throw new IllegalStateException("nothing is near");
        }
        return near;
    }

    private LocationCache.Location cached() {
        if (location == null) {
            throw new IllegalStateException("no location is cached");
        }
        return location;
    }

    /// Looks at what the steps of the phase brought, which all were carried out.
    ///
    /// @throws OutcomeUnknownException if it turned out that nobody can tell whether the operation took effect
    void take(Access access) {
        block.take(access, true);
        swap.takeOwed(access, true);
        next = switch (phase) {
            case LOCATE -> {
                place.take(access);
                yield lookAgain();
            }
            case NEAR -> takeNear(access);
            case CACHED -> takeCached(access);
            case BUCKETS -> {
                pair.take(access, position);
                place.takeIfBehind(access);
                yield inspect(access);
            }
            case BLOCKS -> takeBlocks(access);
            case CLAIM -> {
                if (swap.take(access, true)) {
                    block.setReferred();
                }
                pair.take(access, position);
                yield inspect(access);
            }
            case REMOVE_RIVALS -> candidates.takeRemovals(access) ? commit() : lookAgain();
            case DECIDE -> takeDecision(access, true);
            case WITHDRAW -> {
                // Whether it was still there or not: it is not there now, or frozen, and then it is dead.
                claim = NONE;
                phase = Phase.BUCKETS;
                yield patientRounds == 0 ? Step.AGAIN : Step.AWAIT_RIVAL;
            }
            case SETTLE -> Step.DONE;
        };
    }

    /// Takes note of what was carried out of the steps posted, when [Access#execute()] threw.
    ///
    /// @param unknown what it threw, if that was a step of unknown outcome
    void interrupted(Access access, @Nullable OutcomeUnknownException unknown) {
        block.take(access, false);
        swap.takeOwed(access, false);
        if (phase == Phase.CLAIM && (unknown != null || swap.wasExecuted(access))) {
            block.setReferred();
        }
        if (phase == Phase.DECIDE && swap.wasExecuted(access)) {
            next = takeDecision(access, false);
        } else if (phase == Phase.DECIDE && unknown != null) {
            // A refused step was not carried out and will not be; one of unknown outcome has to be looked for.
            doubt = unknown;
            block.setReferred();
        }
    }

    /// Starts over in an access that has begun anew: nothing that was read before counts.
    void restart() {
        next = Step.AGAIN;
        since = Long.MAX_VALUE;
        place.forget();
        if (phase == Phase.CACHED) {
            context.locations().remove(hash);
        }
        if (phase == Phase.NEAR) {
            context.near().remove(hash);
        }
        location = null;
        near = null;
        claim = NONE;
        candidates.clear();
        if (phase != Phase.SETTLE) {
            phase = Phase.LOCATE;
        }
    }

    /// Ends the operation, and gives back what it does not need.
    ///
    /// @param normally whether it was done; if not, a word may still refer to its block, which therefore is left
    void end(boolean normally) {
        if (isWriting) {
            isWriting = false;
            context.near().endWrite(hash);
        }
        intent = null;
        doubt = null;
        block.image().trim();
        if (normally || !block.wasReferred() && phase != Phase.CLAIM && phase != Phase.DECIDE) {
            block.giveBack();
        }
    }

    private Step lookAgain() {
        phase = place.isKnown() ? Phase.BUCKETS : Phase.LOCATE;
        return Step.AGAIN;
    }

    private Step takeNear(Access access) {
        NearEntries.Entry entry = near();
        near = null;
        if (access.data(position).get(LONG, 0) != entry.word()) {
            context.near().remove(hash);
            return lookAgain();
        }
        return decidePresent(access, entry.slot(), entry.word(), entry.block(), (int) entry.block().byteSize());
    }

    private Step takeCached(Access access) {
        LocationCache.Location cached = cached();
        location = null;
        MemorySegment found = access.data(position);
        boolean isSame = access.data(position + 1).get(LONG, 0) == cached.word() && KeyValueBlock.holdsKey(found)
                && KeyValueBlock.isKeyIntact(found) && block.hasKeyOf(found);
        if (!isSame || intent().readsValue() && !KeyValueBlock.isValueIntact(found)) {
            context.locations().remove(hash);
            return lookAgain();
        }
        return decidePresent(access, cached.slot(), cached.word(), found, cached.blockBytes());
    }

    private Step inspect(Access access) {
        BucketPair.State state = pair.state(hash);
        if (state == BucketPair.State.ELSEWHERE) {
            place.forget();
            return lookAgain();
        }
        if (doubt != null && isDone()) {
            return won(access, pair.address(pair.indexOf(swap.desired())));
        }
        claim = claimWord == 0 ? NONE : pair.indexOf(claimWord);
        if (claim != NONE && SlotWord.isFrozen(pair.word(claim))) {
            claim = NONE;
        }
        if (state == BucketPair.State.MOVED) {
            return follow();
        }
        candidates.collect(HashBits.fingerprint(hash), claim, block.image(), intent().readsValue());
        if (candidates.isEmpty()) {
            return decideAbsent();
        }
        phase = Phase.BLOCKS;
        return Step.AGAIN;
    }

    /// Finds out whether the decision that is in doubt took effect.
    ///
    /// @throws OutcomeUnknownException if the slot shows neither its outcome nor what it was to change
    private boolean isDone() {
        OutcomeUnknownException unknown = Objects.requireNonNull(doubt);
        // An empty slot does not tell who emptied it.
        if (!SlotWord.isEmpty(swap.desired()) && pair.indexOf(swap.desired()) >= 0) {
            return true;
        }
        if (pair.indexOf(swap.expected()) < 0) {
            throw unknown;
        }
        doubt = null;
        return false;
    }

    /// Goes on in the child that has the key, as soon as one of its four buckets says that it has moved.
    ///
    /// Nobody is behind a write to the child. Whoever reads the key looks at the same four headers, and a header does not change
    /// back: a reader that begins after a writer has followed one follows it too. A reader to which all four said *live* looked
    /// at that one before the writer could follow it: what it found in the slots, frozen or not, was the present at that time or,
    /// where the slot was frozen later, when it was.
    private Step follow() {
        place.follow(pair.movedHeader());
        claim = NONE;
        phase = Phase.BUCKETS;
        return Step.AGAIN;
    }

    private Step takeBlocks(Access access) {
        if (confirms && !pair.isUnchanged(access, position)) {
            candidates.clear();
            pair.take(access, position);
            return inspect(access);
        }
        return switch (candidates.take(access, block.image(), intent().readsValue())) {
            case MORE -> Step.AGAIN;
            case DAMAGED -> {
                if (++damages > DAMAGES_MAX) {
                    throw new IllegalStateException("a block of map '" + context.name() + "' is damaged: its check has failed "
                            + damages + " times, last in subtable 0x" + Long.toHexString(subtable()));
                }
                candidates.clear();
                yield lookAgain();
            }
            case COMPLETE -> {
                int match = candidates.match();
                yield match < 0 ? decideAbsent() : decidePresent(access, pair.address(match), pair.word(match),
                        candidates.matchBlock(), candidates.matchBytes());
            }
        };
    }

    private Step decidePresent(Access access, long address, long word, MemorySegment found, int foundBytes) {
        if (claim != NONE) {
            return withdraw();
        }
        if (intent().writes() && SlotWord.isFrozen(word)) {
            phase = Phase.BUCKETS;
            return Step.AWAIT_SPLIT;
        }
        context.codecs().check(found);
        if (context.expiry().isPast(KeyValueBlock.expiry(found))) {
            return decideExpired(address, word, foundBytes);
        }
        whenAbsent = null;
        Intent.Action action = intent().present(intent().readsValue() ? KeyValueBlock.value(found) : MemorySegment.NULL);
        if (action == Intent.Action.KEEP) {
            if (!SlotWord.isFrozen(word)) {
                context.locations().put(hash, address, word, foundBytes, access.since());
                if (intent().readsValue() && !isWriting) {
                    context.near().put(hash, found, foundBytes, address, word, access.since(), nearStamp, beganNanos);
                }
            }
            return Step.DONE;
        }
        oldBytes = foundBytes;
        if (action == Intent.Action.REMOVE) {
            swap.set(address, word, SlotWord.empty(word), -1);
        } else {
            block.prepare(intent());
            swap.set(address, word, block.replace(word), 0);
        }
        phase = Phase.DECIDE;
        return Step.AGAIN;
    }

    /// An entry that has expired counts as absent; a new one takes its slot, since a key has one committed slot at most.
    private Step decideExpired(long address, long word, int foundBytes) {
        if (isNothingToInsert()) {
            return Step.DONE;
        }
        oldBytes = foundBytes;
        swap.set(address, word, block.replace(word), 0);
        phase = Phase.DECIDE;
        return Step.AGAIN;
    }

    private boolean isNothingToInsert() {
        if (whenAbsent == null) {
            // Asked once: what a function makes of the absence of an entry does not change while it stays absent.
            whenAbsent = intent().absent();
            if (whenAbsent == Intent.Action.WRITE) {
                block.prepare(intent());
            }
        }
        return whenAbsent != Intent.Action.WRITE;
    }

    private Step decideAbsent() {
        if (claim != NONE) {
            if (!candidates.hasRivals()) {
                return commit();
            }
            if (candidates.hasRivalBefore(pair.address(claim)) && patientRounds < PATIENT_ROUNDS) {
                patientRounds++;
                return withdraw();
            }
            phase = Phase.REMOVE_RIVALS;
            return Step.AGAIN;
        }
        if (isNothingToInsert()) {
            return Step.DONE;
        }
        phase = Phase.BUCKETS;
        int empty = pair.chooseEmpty(hash);
        if (empty == BucketPair.FULL) {
            return pair.isFreezing() ? Step.AWAIT_SPLIT : Step.SPLIT;
        }
        long word = pair.word(empty);
        if (SlotWord.isFrozen(word)) {
            return Step.AWAIT_SPLIT;
        }
        claimWord = block.claim(word);
        swap.set(pair.address(empty), word, claimWord, 0);
        phase = Phase.CLAIM;
        return Step.AGAIN;
    }

    private Step commit() {
        swap.set(pair.address(claim), claimWord, SlotWord.commit(claimWord), 1);
        phase = Phase.DECIDE;
        return Step.AGAIN;
    }

    private Step withdraw() {
        swap.set(pair.address(claim), claimWord, SlotWord.empty(claimWord), 0);
        phase = Phase.WITHDRAW;
        return Step.AGAIN;
    }

    /// @param all whether all steps of the doorbell were carried out
    private Step takeDecision(Access access, boolean all) {
        return swap.take(access, all) ? won(access, swap.slot()) : lookAgain();
    }

    /// The compare-and-swap that decides the operation has taken effect.
    private Step won(Access access, long address) {
        doubt = null;
        if (swap.change() <= 0) {
            context.memory().retire(HeapKind.DATA, SlotWord.address(swap.expected()), oldBytes);
        }
        if (SlotWord.isEmpty(swap.desired())) {
            context.locations().remove(hash);
            hasEmptied = true;
        } else {
            context.locations().put(hash, address, swap.desired(), block.lengthBytes(), access.since());
            block.leave();
        }
        phase = Phase.SETTLE;
        return swap.owes() ? Step.AGAIN : Step.DONE;
    }
}
