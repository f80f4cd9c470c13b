package io.leasehold.rdma.internal.soft;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.regex.Pattern;

/// The directory in which a device makes the files of its connections by shared memory.
///
/// A file has a name only while its connection is being agreed on, a few seconds at most; so an old one was left by a process
/// that was killed just then.
final class RingDirectory {
    private static final System.Logger LOG = System.getLogger(RingDirectory.class.getName());
    private static final String PREFIX = "leasehold-rings-";
    private static final Pattern NAME = Pattern.compile(PREFIX + "[0-9a-f]{32}");
    /// Several times as long as agreeing on a connection may take.
    static final Duration STALE = Duration.ofMinutes(2);

    private final Path directory;
    private final SecureRandom random = new SecureRandom();

    private RingDirectory(Path directory) {
        this.directory = directory;
    }

    /// Tries that files can be made, mapped and removed here, and sweeps away what is stale.
    ///
    /// @throws IOException if this system, or this directory, does not do
    static RingDirectory open(Path directory) throws IOException {
        if (!Futex.isAvailable()) {
            throw new IOException("it needs the futex of Linux on x86-64 or AArch64, and this is " + System.getProperty("os.name")
                    + " on " + System.getProperty("os.arch"));
        }
        var opened = new RingDirectory(directory);
        try (RingFile probe = opened.create()) {
            Path path = directory.resolve(probe.name());
            FileTime now = Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS);
            probe.unlink();
            opened.sweep(now);
        } catch (UnsupportedOperationException e) {
            throw new IOException(directory + " has no symbolic links: " + e.getMessage(), e);
        }
        return opened;
    }

    /// Removes files that are older than [#STALE]; `now` is by the clock of the file system.
    private void sweep(FileTime now) throws IOException {
        long before = now.toMillis() - STALE.toMillis();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, PREFIX + '*')) {
            for (Path file : files) {
                try {
                    var attributes = Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                    if (isName(file.getFileName().toString()) && attributes.isSymbolicLink()
                            && attributes.lastModifiedTime().toMillis() < before) {
                        Files.delete(file);
                        LOG.log(System.Logger.Level.INFO, "removed {0}, which a process left behind", file);
                    }
                } catch (IOException e) {
                    // Gone meanwhile, or of another user: not ours to remove.
                    LOG.log(System.Logger.Level.DEBUG, "not sweeping {0}: {1}", file, e);
                }
            }
        }
    }

    /// A new file under a name that nobody can guess.
    RingFile create() throws IOException {
        byte[] name = new byte[16];
        random.nextBytes(name);
        return RingFile.create(directory.resolve(PREFIX + HexFormat.of().formatHex(name)), random.nextLong(), random.nextLong());
    }

    /// The peer's file of that name.
    ///
    /// @throws IOException if there is no such file to be seen from here, or the name is none
    RingFile find(String name) throws IOException {
        if (!isName(name)) {
            throw new ProtocolViolation("a file of rings with the name '" + name + "'");
        }
        return RingFile.open(directory.resolve(name));
    }

    private static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }
}
