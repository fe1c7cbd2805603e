-- Who listens on the channel is told that there is something new: of what kind, whose it is, and which. It is read from the
-- tables, so a notification that does not come makes it late, and no more.
CREATE FUNCTION roomcast_notify(kind TEXT, ids BIGINT[]) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE node TEXT := coalesce(nullif(current_setting('roomcast.node', true), ''), '-');
    BEGIN
        -- A notification has room for 8,000 bytes.
        FOR place IN 1 .. coalesce(array_length(ids, 1), 0) BY 300 LOOP
            PERFORM pg_notify('roomcast', concat_ws(' ', kind, node, array_to_string(ids[place : place + 299], ',')));
        END LOOP;
    END
$$;

CREATE FUNCTION roomcast_written() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM roomcast_notify(TG_ARGV[0], (SELECT array_agg(id ORDER BY id) FROM written));
        RETURN NULL;
    END
$$;
CREATE TRIGGER roomcast_said AFTER INSERT ON messages REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION roomcast_written('said');
CREATE TRIGGER roomcast_changed AFTER INSERT ON message_changes REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION roomcast_written('changed');

-- Our servers keep the journal themselves; for other programs it is kept here. What goes with its room is not noted: the
-- room, and the journal with it, is gone by then.
CREATE FUNCTION roomcast_keep_journal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO message_changes (message_id, chat_id, kind)
            SELECT OLD.id, chats.id, CASE TG_OP WHEN 'UPDATE' THEN 'edited' ELSE 'deleted' END
            FROM chats WHERE chats.id = OLD.chat_id;
        RETURN NULL;
    END
$$;
CREATE TRIGGER roomcast_edited AFTER UPDATE OF content, file ON messages FOR EACH ROW
    WHEN ((OLD.content, OLD.file) IS DISTINCT FROM (NEW.content, NEW.file)
          AND coalesce(current_setting('roomcast.node', true), '') = '')
    EXECUTE FUNCTION roomcast_keep_journal();
CREATE TRIGGER roomcast_deleted AFTER DELETE ON messages FOR EACH ROW
    WHEN (coalesce(current_setting('roomcast.node', true), '') = '')
    EXECUTE FUNCTION roomcast_keep_journal();
