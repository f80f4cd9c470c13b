package io.leasehold.benchmarks;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/// The process behind a [Worker]: reads a connector, then tasks, and answers each. Ends when standard input does.
final class WorkerMain {
    private static final Object END = new Object();
    private static final int GRACE_SECONDS = 5;

    private WorkerMain() {
    }

    /// Runs it.
    public static void main(String[] arguments) throws Exception {
        // Whatever else prints must not get into the answers.
        PrintStream out = System.out;
        System.setOut(System.err);
        ObjectOutputStream answers = new ObjectOutputStream(new BufferedOutputStream(out));
        answers.flush();
        ObjectInputStream input = new ObjectInputStream(System.in);
        Connector connector = (Connector) input.readObject();
        LinkedBlockingQueue<Object> tasks = new LinkedBlockingQueue<>();
        Thread.ofPlatform().daemon().name("lifeline").start(() -> read(input, tasks));
        try (Workbench workbench = new Workbench(connector.connect())) {
            answer(answers, "connected");
            for (Object task = tasks.take(); task != END; task = tasks.take()) {
                answer(answers, perform((Task<?>) task, workbench));
            }
        } catch (Exception e) {
            answer(answers, failure(e));
        }
        // Threads of a client library must not keep the process.
        System.exit(0);
    }

    private static void read(ObjectInputStream input, LinkedBlockingQueue<Object> tasks) {
        try {
            while (true) {
                tasks.add(input.readObject());
            }
        } catch (IOException | ClassNotFoundException e) {
            tasks.add(END);
        }
        try {
            TimeUnit.SECONDS.sleep(GRACE_SECONDS);
        } catch (InterruptedException e) {
            // Then at once.
        }
        Runtime.getRuntime().halt(1);
    }

    private static Object perform(Task<?> task, Workbench workbench) {
        try {
            return task.perform(workbench);
        } catch (Exception e) {
            return failure(e);
        }
    }

    private static Worker.Failure failure(Exception e) {
        StringWriter text = new StringWriter();
        e.printStackTrace(new PrintWriter(text, true));
        return new Worker.Failure(text.toString());
    }

    private static void answer(ObjectOutputStream answers, Object answer) throws IOException {
        answers.writeObject(answer);
        answers.reset();
        answers.flush();
    }
}
