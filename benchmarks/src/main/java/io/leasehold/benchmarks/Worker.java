package io.leasehold.benchmarks;

import java.io.EOFException;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.util.List;

/// A process of clients, seen from the process that directs it. One task at a time.
final class Worker implements AutoCloseable {
    /// The answer to a task that failed.
    record Failure(String text) implements Serializable {
    }

    private final Child child;
    private final ObjectOutputStream tasks;
    private final ObjectInputStream answers;

    private Worker(Child child, ObjectOutputStream tasks, ObjectInputStream answers) {
        this.child = child;
        this.tasks = tasks;
        this.answers = answers;
    }

    /// Starts a process and connects it.
    ///
    /// @throws IOException with what the process complained about, if that fails
    static Worker start(String name, Host host, Connector connector) throws IOException {
        Child child = Child.java(name, host, options(), WorkerMain.class, List.of());
        try {
            ObjectOutputStream tasks = new ObjectOutputStream(child.input());
            tasks.writeObject(connector);
            tasks.flush();
            ObjectInputStream answers = new ObjectInputStream(child.output());
            Object answer = answers.readObject();
            if (answer instanceof Failure failure) {
                throw new IOException(name + " could not connect: " + failure.text());
            }
            return new Worker(child, tasks, answers);
        } catch (IOException | ClassNotFoundException e) {
            String complaint = child.complaint();
            child.close();
            throw new IOException(complaint, e);
        }
    }

    /// What each process of clients gets, of ours and of peers.
    static List<String> options() {
        return List.of("-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-XX:+IgnoreUnrecognizedVMOptions", "--sun-misc-unsafe-memory-access=allow",
                "-Djava.util.logging.config.class=" + QuietLogging.class.getName());
    }

    /// Has the process do something, and waits for it.
    ///
    /// @throws IllegalStateException if it failed there
    @SuppressWarnings("unchecked") // The other end is ours.
    <R extends Serializable> R perform(Task<R> task) throws IOException {
        try {
            tasks.writeObject(task);
            tasks.reset();
            tasks.flush();
            Object answer = answers.readObject();
            if (answer instanceof Failure failure) {
                throw new IllegalStateException(child.name() + ": " + failure.text());
            }
            return (R) answer;
        } catch (EOFException | ClassNotFoundException e) {
            throw new IOException(child.complaint(), e);
        }
    }

    boolean isAlive() {
        return child.isAlive();
    }

    @Override
    public void close() {
        child.close();
    }
}
