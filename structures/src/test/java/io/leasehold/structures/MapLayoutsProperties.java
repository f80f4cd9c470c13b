package io.leasehold.structures;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;

/// The drawings of the map's layouts, as properties.
class MapLayoutsProperties {
    private static final ValueLayout.OfLong LITTLE_ENDIAN =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(java.nio.ByteOrder.LITTLE_ENDIAN);
    private static final long BLOCK_MAX = (1L << 42) - 1;

    @Property
    void slotWordKeepsItsFields(@ForAll @IntRange(max = 255) int fingerprint, @ForAll @IntRange(min = 1, max = 255) int units,
            @ForAll @LongRange(min = 1, max = BLOCK_MAX) long block, @ForAll @IntRange(max = 15) int version) {
        long empty = (long) version << 2;
        long claim = SlotWord.claim(empty, fingerprint, units, block);

        assertThat(SlotWord.fingerprint(claim)).isEqualTo(fingerprint).isEqualTo((int) (claim >>> 56));
        assertThat(SlotWord.units(claim)).isEqualTo(units).isEqualTo((int) (claim >>> 48 & 0xFF));
        assertThat(SlotWord.block(claim)).isEqualTo(block).isEqualTo(claim >>> 6 & BLOCK_MAX);
        assertThat(SlotWord.address(claim)).isEqualTo(block * Memory.GRANULE);
        assertThat(SlotWord.version(claim)).isEqualTo((version + 1) % 16).isEqualTo((int) (claim >>> 2 & 0xF));
        assertThat(SlotWord.isTentative(claim)).isTrue().isEqualTo((claim & 2) != 0);
        assertThat(SlotWord.isFrozen(claim)).isFalse().isEqualTo((claim & 1) != 0);
        assertThat(SlotWord.isCommitted(claim)).isFalse();
    }

    @Property
    void slotWordGoesThroughItsLife(@ForAll @IntRange(max = 255) int fingerprint, @ForAll @IntRange(min = 1, max = 255) int units,
            @ForAll @LongRange(min = 1, max = BLOCK_MAX) long block, @ForAll @LongRange(min = 1, max = BLOCK_MAX) long next) {
        long claim = SlotWord.claim(0, fingerprint, units, block);
        long committed = SlotWord.commit(claim);
        long replaced = SlotWord.replace(committed, fingerprint, units, next);
        long emptied = SlotWord.empty(replaced);
        long back = SlotWord.commit(SlotWord.claim(emptied, fingerprint, units, block));

        assertThat(SlotWord.isCommitted(committed)).isTrue();
        assertThat(SlotWord.isCommitted(replaced)).isTrue();
        assertThat(replaced).isNotEqualTo(committed);
        assertThat(SlotWord.isEmpty(emptied)).isTrue();
        assertThat(SlotWord.isCommitted(emptied)).isFalse();
        assertThat(SlotWord.block(back)).isEqualTo(SlotWord.block(committed));
        assertThat(back).as("the same block in the same slot is another word").isNotEqualTo(committed);
        for (long word : new long[] {claim, committed, emptied}) {
            assertThat(SlotWord.isFrozen(SlotWord.freeze(word))).isTrue();
            assertThat(SlotWord.thaw(SlotWord.freeze(word))).isEqualTo(word);
            assertThat(SlotWord.isEmpty(SlotWord.freeze(word))).isEqualTo(SlotWord.isEmpty(word));
        }
    }

    @Property
    void headerWordKeepsItsFields(@ForAll @IntRange(max = 20) int depth, @ForAll long hash,
            @ForAll @LongRange(min = 1, max = BLOCK_MAX) long block) {
        long live = HeaderWord.live(depth, HashBits.suffix(hash, depth));
        long moved = HeaderWord.moved(depth, block * Memory.GRANULE);

        assertThat(HeaderWord.isLive(live)).isTrue();
        assertThat(HeaderWord.isMoved(live)).isFalse();
        assertThat(HeaderWord.depth(live)).isEqualTo(depth).isEqualTo((int) (live >>> 48 & 0xFF));
        assertThat(HeaderWord.admits(live, hash)).isTrue();
        assertThat(HeaderWord.admits(live, hash ^ 1)).isEqualTo(depth == 0);
        assertThat(HeaderWord.isMoved(moved)).isTrue();
        assertThat(HeaderWord.isLive(moved)).isFalse();
        assertThat(HeaderWord.depth(moved)).isEqualTo(depth);
        assertThat(HeaderWord.next(moved, 0, 192)).isEqualTo(block * Memory.GRANULE);
        long joined = HeaderWord.joined(depth, block * Memory.GRANULE);
        assertThat(HeaderWord.isMoved(joined)).isTrue();
        assertThat(HeaderWord.isJoined(joined)).isTrue();
        assertThat(HeaderWord.isJoined(moved)).isFalse();
        assertThat(HeaderWord.next(joined, hash, 192)).isEqualTo(block * Memory.GRANULE);
        assertThat(HeaderWord.next(moved, hash, 192)).isEqualTo(block * Memory.GRANULE + (hash >>> depth & 1) * 192);
        assertThat(HeaderWord.nextDepth(joined)).isEqualTo(depth).isEqualTo((int) (joined >>> 48 & 0xFF));
        assertThat(HeaderWord.nextDepth(moved)).isEqualTo(depth + 1);
        assertThat(live >>> 42 & 0x3F).isZero();
    }

    @Property
    void memoryThatIsNoBucketIsNoHeader(@ForAll @IntRange(max = 255) int kind) {
        long word = (long) kind << 56;
        assertThat(HeaderWord.isLive(word)).isEqualTo(kind == 'L');
        assertThat(HeaderWord.isMoved(word)).isEqualTo(kind == 'M' || kind == 'J');
    }

    @Property
    void directoryEntryKeepsItsFields(@ForAll @IntRange(max = 20) int depth,
            @ForAll @LongRange(min = 1, max = BLOCK_MAX) long block) {
        long entry = MapRoot.entry(depth, block * Memory.GRANULE);
        assertThat(MapRoot.entryDepth(entry)).isEqualTo(depth).isEqualTo((int) (entry >>> 56));
        assertThat(MapRoot.entrySubtable(entry)).isEqualTo(block * Memory.GRANULE);
    }

    @Property
    void rootKeepsItsPlaces(@ForAll @LongRange(min = 1, max = BLOCK_MAX >> 20) long block, @ForAll @IntRange(max = 20) int depth) {
        long address = block * Memory.GRANULE;
        MapRoot root = new MapRoot(address, 0, new SubtableShape(2), depth);
        assertThat(root.janitorAddress()).isEqualTo(address + 192);
        assertThat(root.janitorDueAddress()).isEqualTo(address + 200);
        assertThat(root.janitorAddress() + MapRoot.JANITOR_BYTES).isEqualTo(root.counterAddress(0)).isEqualTo(address + 256);
        assertThat(root.counterAddress(15)).isEqualTo(address + 256 + 15 * 64);
        assertThat(root.depthAddress()).isEqualTo(address + 1280);
        assertThat(root.entryAddress(1)).isEqualTo(address + 1344 + 8);
        assertThat(MapRoot.bytes(depth)).isEqualTo(1344 + (8L << depth));
    }

    @Property
    void partsOfTheHashDoNotOverlap(@ForAll long hash) {
        long together = HashBits.suffix(hash, HashBits.DEPTH_MAX) | (long) HashBits.fingerprint(hash) << 20
                | (long) HashBits.first(hash) << 28 | (long) HashBits.second(hash) << 46;
        assertThat(together).isEqualTo(hash);
    }

    @Property
    void bothChoicesLieInTheSubtableAndInDifferentGroups(@ForAll long hash, @ForAll @IntRange(min = 2, max = 4096) int groups) {
        SubtableShape shape = new SubtableShape(groups);
        for (int combined : new int[] {shape.first(hash), shape.second(hash)}) {
            assertThat(combined).isBetween(0, 2 * groups - 1);
            int offset = SubtableShape.offset(combined);
            assertThat(offset).isBetween(0, shape.bytes() - SubtableShape.COMBINED_BYTES);
            assertThat(offset / SubtableShape.GROUP_BYTES)
                    .isEqualTo((offset + SubtableShape.COMBINED_BYTES - 1) / SubtableShape.GROUP_BYTES);
            int main = offset + SubtableShape.mainBucket(combined) * Long.BYTES;
            assertThat(main / SubtableShape.BUCKET_BYTES % SubtableShape.GROUP_BUCKETS).as("the middle bucket is the overflow")
                    .isNotEqualTo(1);
        }
        assertThat(shape.first(hash) / 2).isNotEqualTo(shape.second(hash) / 2);
    }

    @Property
    void blockKeepsKeyAndValue(@ForAll @Size(max = 200) byte[] key, @ForAll @Size(max = 400) byte[] value, @ForAll long hash,
            @ForAll short keyCodec, @ForAll short valueCodec, @ForAll long expiry) {
        MemorySegment block = block(key, value, hash, keyCodec, valueCodec, expiry);

        assertThat(KeyValueBlock.isKeyIntact(block)).isTrue();
        assertThat(KeyValueBlock.isValueIntact(block)).isTrue();
        assertThat(KeyValueBlock.key(block).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(key);
        assertThat(KeyValueBlock.value(block).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(value);
        assertThat(KeyValueBlock.hash(block)).isEqualTo(hash);
        assertThat(KeyValueBlock.keyCodec(block)).isEqualTo(keyCodec);
        assertThat(KeyValueBlock.valueCodec(block)).isEqualTo(valueCodec);
        assertThat(KeyValueBlock.expiry(block)).isEqualTo(expiry).isEqualTo(block.get(LITTLE_ENDIAN, 24));
        assertThat(KeyValueBlock.isHeader(block)).isTrue();
        assertThat(block.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) KeyValueBlock.FORMAT);
        MemorySegment prefix = block.asSlice(0, KeyValueBlock.HEADER_BYTES + key.length);
        assertThat(KeyValueBlock.isKeyIntact(prefix)).as("the key needs no value").isTrue();
    }

    @Property
    void blocksOfAnotherFormatAreRefused(@ForAll @IntRange(max = 255) int format) {
        MemorySegment block = block(new byte[3], new byte[4], 42, (short) 1, (short) 2, 0);
        block.set(ValueLayout.JAVA_BYTE, 0, (byte) format);
        // Even if everything else is right.
        boolean isRight = format == KeyValueBlock.FORMAT;
        assertThat(KeyValueBlock.isKeyIntact(block)).isEqualTo(isRight);
        assertThat(KeyValueBlock.isHeader(block)).isEqualTo(isRight);
    }

    @Property
    void anyChangedBitIsNoticed(@ForAll @Size(min = 1, max = 50) byte[] key, @ForAll @Size(min = 1, max = 50) byte[] value,
            @ForAll @IntRange(max = 139 * 8) int bit) {
        MemorySegment block = block(key, value, 42, (short) 1, (short) 2, 7);
        long at = bit / 8 % block.byteSize();
        block.set(ValueLayout.JAVA_BYTE, at, (byte) (block.get(ValueLayout.JAVA_BYTE, at) ^ 1 << bit % 8));

        assertThat(KeyValueBlock.isKeyIntact(block) && KeyValueBlock.isValueIntact(block)).isFalse();
    }

    private static MemorySegment block(byte[] key, byte[] value, long hash, short keyCodec, short valueCodec,
            long expiry) {
        MemorySegment block = MemorySegment.ofArray(new byte[KeyValueBlock.bytes(key.length, value.length)]);
        MemorySegment.copy(key, 0, block, ValueLayout.JAVA_BYTE, KeyValueBlock.HEADER_BYTES, key.length);
        MemorySegment.copy(value, 0, block, ValueLayout.JAVA_BYTE, KeyValueBlock.HEADER_BYTES + key.length, value.length);
        KeyValueBlock.seal(block, keyCodec, valueCodec, key.length, value.length, hash, expiry);
        return block;
    }
}
