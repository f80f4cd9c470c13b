package io.leasehold.rdma.internal.soft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The files of the shared-memory link: how they lie, whose they are, and that none stays.
final class RingFileTest {
    private static final String NAME = "leasehold-rings-" + "0".repeat(32);

    @TempDir
    Path directory;

    @Test
    void fileLiesAsDrawn() throws IOException {
        Path path = directory.resolve(NAME);
        try (RingFile acceptor = RingFile.create(path, 0x1111, 0x2222); RingFile dialler = RingFile.open(path)) {
            assertThat(Files.size(path)).isEqualTo(4096 + 2 * 131_072);
            assertThat(RingFile.RINGS_AT + RingFile.RING_BYTES).isEqualTo(135_168);
            var output = new RingOutput(acceptor);
            assertThat(output.put(Frame.PREVIOUS, 5, 6, 7)).isTrue();
            output.publish();
            var answer = new RingOutput(dialler);
            assertThat(answer.put(Frame.ACKNOWLEDGE, 8, 0, 0)).isTrue();
            answer.publish();
            var input = new RingInput(dialler);
            input.begin();
            assertThat(input.next()).isTrue();
            assertThat(input.next()).isFalse();
            input.giveBack();
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
            assertThat(new String(bytes.array(), 0, 8, StandardCharsets.US_ASCII)).isEqualTo("LEASERNG");
            assertThat(bytes.getLong(8)).isEqualTo(0x1111).isEqualTo(dialler.proof(0));
            assertThat(bytes.getLong(16)).isEqualTo(0x2222).isEqualTo(dialler.proof(1));
            assertThat(bytes.getLong(1024)).as("tail of the acceptor").isEqualTo(64);
            assertThat(bytes.getLong(1024 + 128)).as("head of the dialler").isEqualTo(64);
            assertThat(bytes.getLong(2048)).as("tail of the dialler").isEqualTo(64);
            assertThat(bytes.getLong(2048 + 128)).as("head of the acceptor").isZero();
            assertThat(Frame.type(bytes, 4096)).isEqualTo(Frame.PREVIOUS);
            assertThat(Frame.sequence(bytes, 4096)).isEqualTo(5);
            assertThat(Frame.key(bytes, 4096)).isEqualTo(6);
            assertThat(Frame.first(bytes, 4096)).isEqualTo(7);
            assertThat(Frame.type(bytes, 135_168)).isEqualTo(Frame.ACKNOWLEDGE);
        }
    }

    @Test
    void fileIsOfItsOwnerAlone_andNobodyElses() throws IOException {
        Path path = directory.resolve(NAME);
        try (RingFile file = RingFile.create(path, 1, 2)) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path))).isEqualTo("rw-------");
            assertThatThrownBy(() -> RingFile.create(path, 3, 4)).isInstanceOf(FileAlreadyExistsException.class);
            assertThat(file.proof(0)).as("after somebody tried to make it again").isEqualTo(1);
        }
        assertThat(path).isSymbolicLink();
    }

    @Test
    void whatThePeerNamesIsLookedAtClosely() throws IOException {
        RingDirectory rings = RingDirectory.open(directory);
        for (String name : List.of("elsewhere", "../" + NAME, "/etc/passwd", "", NAME + "0", 'L' + NAME.substring(1))) {
            assertThatThrownBy(() -> rings.find(name)).as(name).isInstanceOf(ProtocolViolation.class);
        }
        Path path = directory.resolve(NAME);
        assertThatThrownBy(() -> rings.find(NAME)).isInstanceOf(NoSuchFileException.class);
        Files.write(path, new byte[RingFile.FILE_BYTES]);
        assertThatThrownBy(() -> rings.find(NAME)).as("an ordinary file").isInstanceOf(IOException.class);
        for (Path other : List.of(Path.of("/dev/null"), Path.of("/dev/tty"), directory)) {
            Files.delete(path);
            Files.createSymbolicLink(path, other);
            assertThatThrownBy(() -> rings.find(NAME)).as("%s", other).isInstanceOf(IOException.class);
        }
        Files.delete(path);
        try (SealedMemory memory = SealedMemory.create("short", 100)) {
            Files.createSymbolicLink(path, memory.path());
            assertThatThrownBy(() -> rings.find(NAME)).isInstanceOf(ProtocolViolation.class).hasMessageContaining("100 bytes");
        }
        Files.delete(path);
        try (SealedMemory memory = SealedMemory.create("empty", RingFile.FILE_BYTES)) {
            Files.createSymbolicLink(path, memory.path());
            assertThatThrownBy(() -> rings.find(NAME)).isInstanceOf(ProtocolViolation.class)
                    .hasMessageContaining("no file of rings");
        }
    }

    @Test
    void staleFilesAreSwept_othersStay() throws IOException {
        Path nowhere = Path.of("/proc/self/fd/999999");
        Path stale = Files.createSymbolicLink(directory.resolve(NAME), nowhere);
        Path young = Files.createSymbolicLink(directory.resolve("leasehold-rings-" + "1".repeat(32)), nowhere);
        Path other = Files.createSymbolicLink(directory.resolve("leasehold-rings-of-somebody"), nowhere);
        FileTime now = Files.getLastModifiedTime(young, LinkOption.NOFOLLOW_LINKS);
        FileTime old = FileTime.fromMillis(now.toMillis() - RingDirectory.STALE.toMillis() - Duration.ofSeconds(5).toMillis());
        for (Path aged : List.of(stale, other)) {
            Files.getFileAttributeView(aged, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS).setTimes(old, null, null);
        }
        RingDirectory.open(directory);
        assertThat(directory.toFile().list()).containsExactlyInAnyOrder(young.getFileName().toString(),
                other.getFileName().toString());
    }

    /// Neither by who made it nor by who found it.
    @Test
    void nobodyCanCutItShort() throws IOException {
        Path path = directory.resolve(NAME);
        try (RingFile file = RingFile.create(path, 1, 2); FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            assertThatThrownBy(() -> channel.truncate(0)).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1), RingFile.FILE_BYTES)).isInstanceOf(IOException.class);
            assertThat(Files.size(path)).isEqualTo(RingFile.FILE_BYTES);
            file.unlink();
            assertThat(path).doesNotExist();
            assertThat(file.proof(0)).isEqualTo(1);
        }
    }

    /// As when the process that made it has died.
    @Test
    void whatLeadsNowhereIsNotFound() throws IOException {
        RingFile.create(directory.resolve(NAME), 1, 2).close();
        Files.deleteIfExists(directory.resolve(NAME));
        Files.createSymbolicLink(directory.resolve(NAME), Path.of("/proc/self/fd/999999"));
        assertThatThrownBy(() -> RingDirectory.open(directory).find(NAME)).isInstanceOf(NoSuchFileException.class);
    }

    /// All that a full ring holds comes out as it went in, over the end of the ring many times, for frames of all lengths.
    @Test
    void framesOfAllLengthsPassTheEndOfTheRing() throws IOException {
        try (RingFile acceptor = RingFile.create(directory.resolve(NAME), 1, 2);
                RingFile dialler = RingFile.open(directory.resolve(NAME))) {
            var output = new RingOutput(acceptor);
            var input = new RingInput(dialler);
            int sent = 0;
            int received = 0;
            while (sent < 20_000) {
                for (int payload = length(sent); output.hasRoomForRequest(payload); payload = length(sent)) {
                    int at = output.reserve(payload);
                    for (int i = 0; i < payload; i += Long.BYTES) {
                        NativeMemory.putLong(output.payloadAddress(at) + i, sent * 31L + i);
                    }
                    output.commit(at, WorkRequests.WRITE, payload, sent++, 0, 0, 0, 0);
                }
                output.publish();
                input.begin();
                while (input.next()) {
                    int payload = length(received);
                    assertThat(Frame.sequence(input.header(), 0)).isEqualTo(received);
                    assertThat(Frame.payload(input.header(), 0)).isEqualTo(payload);
                    for (int i = 0; i < payload; i += Long.BYTES) {
                        if (NativeMemory.getLong(input.payloadAddress() + i) != received * 31L + i) {
                            throw new AssertionError("frame " + received + " at " + i);
                        }
                    }
                    received++;
                }
                input.giveBack();
                assertThat(received).isEqualTo(sent);
            }
        }
    }

    private static int length(int number) {
        return number % 7 == 0 ? RingOutput.SEGMENT_BYTES - 8 * (number % 3) : number * 40 % 1000;
    }

    /// The promise of [FrameOutput]: requests leave room for every answer that may be asked for.
    @Test
    void answersFitBesideRequests() throws IOException {
        for (int before = 0; before < RingFile.RING_BYTES; before += 5 * 1024) {
            try (RingFile file = RingFile.create(directory.resolve(NAME), 1, 2)) {
                var output = new RingOutput(file);
                shift(output, file, before);
                while (output.hasRoomForRequest(0)) {
                    assertThat(output.put(WorkRequests.READ, 0, 0, 0)).isTrue();
                }
                for (int i = 0; i < RingOutput.READ_WINDOW / RingOutput.SEGMENT_BYTES - 1; i++) {
                    answer(output, RingOutput.SEGMENT_BYTES);
                }
                for (int i = 0; i < SoftDevice.MAX_READ_ATOMIC; i++) {
                    answer(output, RingOutput.SEGMENT_BYTES / SoftDevice.MAX_READ_ATOMIC);
                }
                for (int i = 0; i < 8; i++) {
                    assertThat(output.put(Frame.READY, 0, 0, 0)).isTrue();
                }
                Files.delete(directory.resolve(NAME));
            }
        }
    }

    /// Has the ring begin somewhere else.
    private static void shift(RingOutput output, RingFile file, int bytes) {
        int before = 0;
        while (before < bytes) {
            output.put(WorkRequests.READ, 0, 0, 0);
            output.publish();
            before += RingOutput.bytes(0);
            NativeMemory.putLongRelease(file.counters(true) + RingFile.HEAD_AT, before);
        }
    }

    private static void answer(RingOutput output, int payload) {
        int at = output.reserve(payload);
        assertThat(at).as("room for an answer").isNotNegative();
        output.commit(at, Frame.DATA, payload, 0, 0, 0, 0, 0);
    }
}
