/**
 * The shapes of the API. Made from host/openapi.json by `npm run generate`: not to be edited.
 */
export interface paths {
    "/api/v1/admin/api-keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists one's own API keys, without their tokens. */
        get: operations["keys_list"];
        put?: never;
        /** Makes an API key; its token is told this once. */
        post: operations["keys_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/api-keys/{key_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads one of one's own API keys, without its token. */
        get: operations["keys_get"];
        put?: never;
        post?: never;
        /** Takes an API key back, at once. */
        delete: operations["keys_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the apps that are the caller's to see. */
        get: operations["apps_list"];
        put?: never;
        /** Makes an app. */
        post: operations["apps_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads an app. */
        get: operations["apps_get"];
        put?: never;
        post?: never;
        /** Deletes an app. */
        delete: operations["apps_delete"];
        options?: never;
        head?: never;
        /** Changes an app: slug, name, who may call it from browsers. */
        patch: operations["apps_update"];
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads the app's part of the audit log, newest first. */
        get: operations["audit_of_app"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/dead_letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the dead letters, newest first. */
        get: operations["dead_letters_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/dead_letters/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Counts the dead letters. */
        get: operations["dead_letters_count"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/dead_letters/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has many delivered again, a batch at a time. */
        post: operations["dead_letters_replay_many"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/dead_letters/{letter_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a dead letter with its attempts. */
        get: operations["dead_letters_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/dead_letters/{letter_id}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has its event delivered again, and resolves it. */
        post: operations["dead_letters_replay"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/dead_letters/{letter_id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Declares a dead letter done. */
        post: operations["dead_letters_resolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/deployments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what the app ran, newest first. */
        get: operations["deployments_list"];
        put?: never;
        /** Puts the app into the state of a manifest, whole or not at all. */
        post: operations["deployments_apply"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/deployments/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a deployment with its state. */
        get: operations["deployments_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/deployments/{number}/activate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a deployment what runs, whole or not at all. */
        post: operations["deployments_activate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/deployments/{number}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says what differs between two deployments. */
        get: operations["deployments_diff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/deployments/{number}/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a link that lets people see a deployment. */
        post: operations["previews_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the collections of documents, and how much is in them. */
        get: operations["docs_collections"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/docs/{collection}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Finds documents by a filter. */
        get: operations["docs_find"];
        put?: never;
        /** Makes a document. */
        post: operations["docs_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/docs/{collection}/{document_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a document. */
        get: operations["docs_get"];
        /** Puts other data in place of a document's. */
        put: operations["docs_update"];
        post?: never;
        /** Deletes a document. */
        delete: operations["docs_delete"];
        options?: never;
        head?: never;
        /** Merges a change into a document's data. */
        patch: operations["docs_patch"];
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/domains": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the domains that the app claims. */
        get: operations["domains_list"];
        put?: never;
        /** Claims a domain, and says how to prove it. */
        post: operations["domains_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/domains/{domain_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a domain. */
        get: operations["domains_get"];
        put?: never;
        post?: never;
        /** Gives a domain up. */
        delete: operations["domains_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/domains/{domain_id}/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Looks for the proof of a domain now. */
        post: operations["domains_verify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Gives the app as an archive. */
        get: operations["archive_export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the collections of files, and how much is in them. */
        get: operations["files_collections"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/files/{collection}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists files by name. */
        get: operations["files_list"];
        put?: never;
        /** Makes a file of what is sent. */
        post: operations["files_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/files/{collection}/{file_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads what is known of a file. */
        get: operations["files_get"];
        put?: never;
        post?: never;
        /** Deletes a file. */
        delete: operations["files_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/files/{collection}/{file_id}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Gives the content of a file. */
        get: operations["files_read"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/grants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads what the app allows its scripts. */
        get: operations["grants_get"];
        /** Says anew what the app allows: a capability that is not named is not granted. */
        put: operations["grants_replace"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Changes the capabilities that are named; the others stay. */
        patch: operations["grants_merge"];
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says how the app does: calls, failures, times, dead letters that wait. */
        get: operations["health_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/kv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the collections of KV entries, and how much is in them. */
        get: operations["kv_collections"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/kv/{collection}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists entries by key. */
        get: operations["kv_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/kv/{collection}/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads an entry. */
        get: operations["kv_get"];
        /** Sets an entry. */
        put: operations["kv_put"];
        post?: never;
        /** Deletes an entry. */
        delete: operations["kv_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads on in the app's log: a page, or a stream of events as they come. */
        get: operations["follow_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/manifest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Gives what runs as a manifest. */
        get: operations["deployments_pull"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists who works in the app. */
        get: operations["members_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/members/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Makes a person a member, or changes what they are; by id or name. */
        put: operations["members_put"];
        post?: never;
        /** Takes a person out of the app; by id or name. */
        delete: operations["members_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says what applying a manifest would change. */
        post: operations["deployments_plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/queues": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the queues, and what waits in them. */
        get: operations["queues_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/queues/{name}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends a message to a queue. */
        post: operations["queues_send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/queues/{name}/purge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Throws away what waits in a queue. */
        post: operations["queues_purge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/quota": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads what the app may use, and what it does now. */
        get: operations["quota_get"];
        /** Says anew what the app may use: a bound that is not named is the platform's. */
        put: operations["quota_replace"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Changes the bounds that are named; the others stay. */
        patch: operations["quota_merge"];
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/restrictions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads what the instance keeps the app from. */
        get: operations["restrictions_get"];
        /** Says anew what the app is kept from; it loses at once what it has of that. */
        put: operations["restrictions_replace"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Puts the app back into the state of a deployment, whole or not at all. */
        post: operations["deployments_rollback"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/secrets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the names of the secrets. */
        get: operations["secrets_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/secrets/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Sets a secret. */
        put: operations["secrets_put"];
        post?: never;
        /** Deletes a secret. */
        delete: operations["secrets_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/split": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads which deployment answers a part of the app's requests. */
        get: operations["splits_get"];
        /** Has another deployment answer a part of the app's requests. */
        put: operations["splits_put"];
        post?: never;
        /** Has what runs answer all requests. */
        delete: operations["splits_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/subscriber_tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the tokens of subscribers that have not expired. */
        get: operations["subscriber_tokens_list"];
        put?: never;
        /** Makes a token for a subscriber; it is told this once. */
        post: operations["subscriber_tokens_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/subscriber_tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes a token back, and sends away who subscribes with it. */
        delete: operations["subscriber_tokens_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/topics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the topics that something was published to, or that are registered. */
        get: operations["queues_topics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/topics/{topic}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a topic. */
        get: operations["topics_get"];
        /** Registers a topic, and says who may subscribe to it. */
        put: operations["topics_put"];
        post?: never;
        /** Takes a topic's registration back: nobody may subscribe any more. */
        delete: operations["topics_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/topics/{topic}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Publishes a message to a topic. */
        post: operations["queues_publish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the triggers of every kind. */
        get: operations["triggers_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/cron": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on the ticks of a schedule. */
        post: operations["triggers_create_cron"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/cron:preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says when a schedule would tick next. */
        post: operations["triggers_preview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/dead_letter": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on dead letters. */
        post: operations["triggers_create_dead_letter"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on writes to document collections. */
        post: operations["triggers_create_docs"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/email": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on mail that comes in. */
        post: operations["triggers_create_email"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on writes to file collections. */
        post: operations["triggers_create_files"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/kv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on writes to KV collections. */
        post: operations["triggers_create_kv"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/pubsub": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on messages of a topic. */
        post: operations["triggers_create_pubsub"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Has a script run on messages of a queue, as their one consumer. */
        post: operations["triggers_create_queue"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/{trigger_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a trigger. */
        get: operations["triggers_get"];
        put?: never;
        post?: never;
        /** Deletes a trigger. */
        delete: operations["triggers_delete"];
        options?: never;
        head?: never;
        /** Switches a trigger on or off, or changes how it retries. */
        patch: operations["triggers_update"];
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/triggers/{trigger_id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Fires a schedule now. */
        post: operations["triggers_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps/{app}/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what the app used, by the minute, the hour or the day. */
        get: operations["usage_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/apps:import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes an app of an archive. */
        post: operations["archive_import"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads the audit log, newest first. */
        get: operations["audit_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Logs in: a token, as a bearer and as the session cookie. */
        post: operations["sessions_login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the login that asks. */
        post: operations["sessions_logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/auth/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says who asks, and with which credential. */
        get: operations["sessions_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/auth/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Changes one's own password, and ends one's other logins. */
        post: operations["sessions_change_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/auth/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists one's own logins, newest first. */
        get: operations["sessions_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/auth/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Ends one of one's own logins. */
        delete: operations["sessions_end"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/node": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says what this node does now and what it has dropped. */
        get: operations["node_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/nodes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the nodes that share the database, and how each is. */
        get: operations["nodes_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/routes:match": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says which route and script would answer a request, or why none. */
        post: operations["routes_find"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists scripts, of one app or of all that are the caller's to see. */
        get: operations["scripts_list"];
        put?: never;
        /** Checks a source and makes a script of it. */
        post: operations["scripts_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Checks a source and stores nothing. */
        post: operations["scripts_check"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a script with its source. */
        get: operations["scripts_get"];
        /** Publishes a version and makes it the active one. */
        put: operations["scripts_publish"];
        post?: never;
        /** Deletes a script with its versions, routes and triggers. */
        delete: operations["scripts_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/activate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Makes a stored version the active one. */
        post: operations["scripts_activate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/executions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists its executions, newest first. */
        get: operations["executions_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists what it logged, newest first. */
        get: operations["executions_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/routes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists its routes. */
        get: operations["routes_list"];
        put?: never;
        /** Leads a path to the script. */
        post: operations["routes_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/routes/{route_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Deletes a route. */
        delete: operations["routes_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Runs a script as a request would, and tells all about it. */
        post: operations["test_calls_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/used_by": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the scripts that import it. */
        get: operations["scripts_used_by"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists its versions, newest first. */
        get: operations["scripts_versions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/versions/{number}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a version with its source. */
        get: operations["scripts_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/scripts/{script_id}/versions/{number}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says what differs between two versions. */
        get: operations["scripts_diff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the people of the instance. */
        get: operations["users_list"];
        put?: never;
        /** Adds a person. */
        post: operations["users_create"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/admin/users/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads a person. */
        get: operations["users_get"];
        put?: never;
        post?: never;
        /** Deletes a person with their logins and API keys. */
        delete: operations["users_delete"];
        options?: never;
        head?: never;
        /** Changes a person: name, password, role, whether they may log in. */
        patch: operations["users_update"];
        trace?: never;
    };
    "/api/v1/execute/{script_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Runs a script now; the answer is the script's own. */
        post: operations["execute_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executions/{execution_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Reads an execution with its log. */
        get: operations["executions_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Lists the bounds that hold here, with their units. */
        get: operations["limits_list"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Gives this document. */
        get: operations["openapi_serve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tls/ask": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says whether the proxy in front may get a certificate for a name. */
        get: operations["domains_ask"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Says whether this node can work. */
        get: operations["node_healthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Gives what is measured on this node, as Prometheus reads it. */
        get: operations["metrics_serve"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Names product, SDK, API, schema and component versions. */
        get: operations["node_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An execution that was promised and has not ended. */
        AcceptedExecution: {
            /** Format: date-time */
            accepted_at: string;
            app_id: components["schemas"]["AppId"];
            /** @description Null for the moment before it is relayed. */
            delivery: components["schemas"]["DeliveryProgress"] | null;
            event_id: components["schemas"]["EventId"];
            id: components["schemas"]["ExecutionId"];
            /** @description Null. */
            outcome: components["schemas"]["Outcome"] | null;
        };
        /** @description How a deployment is made what runs. */
        Activation: {
            /**
             * @description `base` of a dry run: 409 once something else runs.
             * @default null
             */
            base?: string | null;
            /**
             * @description Only say what would change.
             * @default false
             */
            dry_run?: boolean;
            /** @default  */
            message?: string;
        };
        /** @description An API key, without its token. */
        ApiKey: {
            /** @description The one app that it is good for; null: every app of its owner. */
            app_id: components["schemas"]["AppId"] | null;
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @description Null: never.
             */
            expires_at: string | null;
            id: components["schemas"]["ApiKeyId"];
            /**
             * Format: date-time
             * @description In steps of five minutes; null: never used.
             */
            last_used_at: string | null;
            name: string;
            /** @description How its token begins. */
            prefix: string;
            scopes: components["schemas"]["Scope"][];
        };
        /**
         * Format: uuid
         * @description A bearer credential of a person, narrower than the person.
         */
        ApiKeyId: string;
        /** @description A page of a list. */
        ApiKeyList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["ApiKey"][];
        };
        /** @description A tenant. */
        App: {
            /** @description Origins that browsers may call from; `*` is any. */
            cors_origins: string[];
            /** Format: date-time */
            created_at: string;
            /** @description Where it answers on the data plane, beside its domains. */
            host: string;
            id: components["schemas"]["AppId"];
            name: string;
            /** @description One DNS label. */
            slug: string;
            /** Format: date-time */
            updated_at: string;
            /** @description The same as browsers reach it, without a slash at the end. */
            url: string;
        };
        /** @description What of an app is to change; what is left out stays. */
        AppChange: {
            cors_origins?: string[] | null;
            name?: string | null;
            /** @description The old one leads to the app until somebody takes it. */
            slug?: string | null;
            /**
             * @description Also a slug that still leads to the app that had it before (409 `slug_redirects` without).
             * @default false
             */
            takeover?: boolean;
        };
        /** @description How an app did within a window, and what of it waits. */
        AppHealth: {
            /**
             * Format: uint64
             * @description Invocations, those that were refused among them.
             */
            calls: number;
            /**
             * Format: uint64
             * @description Of these, the ones that ran and did not come to a good end.
             */
            failed: number;
            /**
             * Format: date-time
             * @description When the first period of the series began (UTC).
             */
            from: string;
            /** Format: uint64 */
            fuel: number;
            /**
             * Format: uint64
             * @description Half of the executions took no longer, µs; null without any.
             */
            p50_us: number | null;
            /**
             * Format: uint64
             * @description Of a hundred executions 99 took no longer, µs; null without any.
             */
            p99_us: number | null;
            /**
             * Format: uint64
             * @description Of these, the ones that were refused before they ran.
             */
            refused: number;
            /**
             * Format: uint64
             * @description Of how many executions these are: the newest of the window.
             */
            sample: number;
            /** @description Every minute of an hour, or every hour of a day; the one that runs is the last. */
            series: components["schemas"]["HealthPeriod"][];
            /** Format: date-time */
            to: string;
            /**
             * Format: uint64
             * @description Dead letters that nobody resolved, whenever they died; counted up to the bound.
             */
            unresolved_dead_letters: number;
        };
        /**
         * Format: uuid
         * @description A tenant.
         */
        AppId: string;
        /** @description A page of a list. */
        AppList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["App"][];
        };
        /** @description What an app may use. */
        AppQuota: {
            /** @description What the app does on the node that answers, at this moment. */
            now: components["schemas"]["AppStatus"];
            /** @description Every bound, as it holds. */
            quota: components["schemas"]["Quota"];
            /** @description Those that were set for the app; the others are the platform's defaults. */
            set: {
                [key: string]: number;
            };
            /** @description What it has of what it may have. */
            used: components["schemas"]["StorageUse"];
        };
        /** @description What a member may do in one app. */
        AppRole: "app_admin" | "editor" | "viewer";
        /** @description What an app does on this node now. */
        AppStatus: {
            /**
             * Format: uint
             * @description Handlers of events that run, and that wait for a place.
             */
            events_running: number;
            /** Format: uint */
            events_waiting: number;
            /**
             * Format: int64
             * @description What may be burnt at once; below nothing: what has to be waited off before anything begins.
             */
            fuel_left: number;
            /**
             * Format: uint
             * @description Requests that run, and that wait for a place.
             */
            requests_running: number;
            /** Format: uint */
            requests_waiting: number;
        };
        /** @description What an app, or one of its scripts, used in a period. Executions count where they began. */
        AppUsage: {
            /**
             * Format: uint64
             * @description Request bodies and what host calls brought in.
             */
            bytes_in: number;
            /**
             * Format: uint64
             * @description Answer bodies and what host calls took out.
             */
            bytes_out: number;
            /**
             * Format: uint64
             * @description Invocations, those that were refused among them.
             */
            calls: number;
            /**
             * Format: uint64
             * @description Of these, the ones that ran and did not come to a good end.
             */
            failed: number;
            /** Format: uint64 */
            fuel: number;
            /** Format: uint64 */
            host_calls: number;
            /**
             * Format: uint64
             * @description Records and log lines that were kept: what counts against `log_bytes_per_day`.
             */
            log_bytes: number;
            /**
             * Format: uint64
             * @description Highest linear memory of one of them.
             */
            memory_peak_bytes: number;
            /**
             * Format: uint64
             * @description Of these, the ones that were refused before they ran: no place was free, or the app's allowance was spent.
             */
            refused: number;
            /** @description Of usage by script. */
            script_id?: components["schemas"]["ScriptId"] | null;
            /**
             * Format: date-time
             * @description When the period began (UTC).
             */
            started_at: string;
            /** Format: uint64 */
            wall_us: number;
        };
        /** @description A page of a list. */
        AppUsageList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["AppUsage"][];
        };
        /**
         * @description The same as a person states them; what is left out is as it is, or has its default. `GET /api/v1/limits` tells
         *     what each means.
         */
        AskedScriptLimits: {
            /** Format: uint64 */
            event_depth?: number | null;
            /** Format: uint64 */
            fuel?: number | null;
            /** Format: uint64 */
            host_calls?: number | null;
            /** Format: uint64 */
            log_bytes?: number | null;
            /** Format: uint64 */
            log_line_bytes?: number | null;
            /** Format: uint64 */
            memory_mb?: number | null;
            /** Format: uint64 */
            outbound_requests?: number | null;
            /** Format: uint64 */
            request_body_bytes?: number | null;
            /** Format: uint64 */
            response_body_bytes?: number | null;
            /** Format: uint64 */
            timeout_ms?: number | null;
        };
        /** @description One change: who, from where, what. */
        AuditEntry: {
            /** @description `noun.verb` */
            action: string;
            /** @description Where the request came from. */
            address: string | null;
            /** @description What it is; null for what is gone. */
            after: unknown;
            app_id: components["schemas"]["AppId"] | null;
            /** Format: date-time */
            at: string;
            /** @description What it was; null for what is new. */
            before: unknown;
            credential: components["schemas"]["Proof"];
            /**
             * Format: uuid
             * @description The session or the API key.
             */
            credential_id: string | null;
            /** @description SHA-256 over this row and the one before it, hex. */
            hash: string;
            request_id: components["schemas"]["RequestId"] | null;
            /**
             * Format: int64
             * @description From 1, without a gap over the whole instance.
             */
            seq: number;
            /** @description The thing: an id, or a name in the app. */
            target: string;
            /** @description Null for the operator at the machine. */
            user_id: components["schemas"]["UserId"] | null;
            /** @description Their name at the time. */
            username: string | null;
        };
        /** @description A page of a list. */
        AuditEntryList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["AuditEntry"][];
        };
        /**
         * @description How the wait grows from attempt to attempt.
         * @enum {string}
         */
        Backoff: "exponential" | "linear" | "constant";
        /** @description One step of a call chain, innermost first. */
        CallFrame: {
            /** Format: uint32 */
            column?: number | null;
            function: string;
            /** Format: uint32 */
            line?: number | null;
        };
        /** @description A name for which a proxy may get a certificate. */
        CertifiedName: {
            domain: string;
        };
        /**
         * @description What happens to it.
         * @enum {string}
         */
        ChangeAction: "add" | "change" | "remove";
        /**
         * @description What happened to an entry, a document or a file.
         * @enum {string}
         */
        ChangeOp: "insert" | "update" | "delete";
        /**
         * @description What kind of thing differs.
         * @enum {string}
         */
        ChangedThing: "grant" | "script" | "route" | "trigger" | "topic";
        /** @description What was found in a source. */
        CheckedSource: {
            /** @description Interfaces that the source itself can reach. */
            capabilities: string[];
            /** @description What is wrong with it. */
            diagnostics: components["schemas"]["Diagnostic"][];
            /** @description Modules that it imports, by name. */
            imports: string[];
            /** @description Whether it would be taken, as far as that is seen without the app. */
            ok: boolean;
        };
        /** @description A collection, by what it holds. */
        Collection: {
            /**
             * Format: uint64
             * @description Their values, data or content, together.
             */
            bytes: number;
            /**
             * Format: uint64
             * @description Entries, documents or files.
             */
            count: number;
            name: string;
        };
        /** @description A page of a list. */
        CollectionList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Collection"][];
        };
        /**
         * @description What a caller is known by.
         * @enum {string}
         */
        CredentialKind: "session" | "api_key";
        /** @description Who logs in. */
        Credentials: {
            password: string;
            username: string;
        };
        /** @description Connections to the database: open, of these unused, and how many there may be. */
        DatabaseConnections: {
            /** Format: uint */
            idle: number;
            /** Format: uint32 */
            max: number;
            /** Format: uint32 */
            open: number;
        };
        /** @description A delivery that no attempt is left of. */
        DeadLetter: {
            app_id: components["schemas"]["AppId"];
            /**
             * Format: uint32
             * @description How many there were.
             */
            attempts: number;
            /** Format: date-time */
            dead_at: string;
            event: components["schemas"]["DeadLetterEvent"];
            /** Format: date-time */
            first_attempt_at: string | null;
            /** @description Set when a handler of dead letters failed on it for good. */
            handler_failed: {
                /** Format: date-time */
                at: string;
                error: components["schemas"]["ScriptFailure"];
            } | null;
            id: components["schemas"]["DeliveryId"];
            /** Format: date-time */
            last_attempt_at: string | null;
            last_error: components["schemas"]["ScriptFailure"] | null;
            reason: components["schemas"]["DeadReason"];
            /** @description The delivery that was made of it anew, the last one. */
            replayed_as: components["schemas"]["DeliveryId"] | null;
            /** @description Null until a person or a script said that it is done. */
            resolved: {
                /** Format: date-time */
                at: string;
                /** @description Null for a script, and once that person is gone. */
                by: components["schemas"]["UserId"] | null;
                reason: string;
            } | null;
            script_id: components["schemas"]["ScriptId"] | null;
            /** @description Null for a call that nobody waited for, and once the trigger is gone. */
            trigger_id: components["schemas"]["TriggerId"] | null;
        };
        /** @description How many dead letters there are, and how many that nobody resolved. */
        DeadLetterCount: {
            /** Format: uint64 */
            all: number;
            /** Format: uint64 */
            unresolved: number;
        };
        /** @description A dead letter with every attempt. */
        DeadLetterDetail: {
            app_id: components["schemas"]["AppId"];
            /** @description The first one first. */
            attempt_log: components["schemas"]["FailedAttempt"][];
            /**
             * Format: uint32
             * @description How many there were.
             */
            attempts: number;
            /** Format: date-time */
            dead_at: string;
            event: components["schemas"]["DeadLetterEvent"];
            /** Format: date-time */
            first_attempt_at: string | null;
            /** @description Set when a handler of dead letters failed on it for good. */
            handler_failed: {
                /** Format: date-time */
                at: string;
                error: components["schemas"]["ScriptFailure"];
            } | null;
            id: components["schemas"]["DeliveryId"];
            /** Format: date-time */
            last_attempt_at: string | null;
            last_error: components["schemas"]["ScriptFailure"] | null;
            reason: components["schemas"]["DeadReason"];
            /** @description The delivery that was made of it anew, the last one. */
            replayed_as: components["schemas"]["DeliveryId"] | null;
            /** @description Null until a person or a script said that it is done. */
            resolved: {
                /** Format: date-time */
                at: string;
                /** @description Null for a script, and once that person is gone. */
                by: components["schemas"]["UserId"] | null;
                reason: string;
            } | null;
            script_id: components["schemas"]["ScriptId"] | null;
            /** @description Null for a call that nobody waited for, and once the trigger is gone. */
            trigger_id: components["schemas"]["TriggerId"] | null;
        };
        /** @description The event that could not be delivered. What it tells stands beside, under the name of its source. */
        DeadLetterEvent: {
            /**
             * Format: uint32
             * @description Hops of the chain that led to it.
             */
            depth: number;
            id: components["schemas"]["EventId"];
            op: string;
            source: components["schemas"]["EventSource"];
            /** Format: date-time */
            time: string;
        };
        /** @description Which dead letters; null where any will do. */
        DeadLetterFilter: {
            script_id: components["schemas"]["ScriptId"] | null;
            source: string | null;
            trigger_id: components["schemas"]["TriggerId"] | null;
        };
        /** @description A page of a list. */
        DeadLetterList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["DeadLetter"][];
        };
        /** @description Why a letter is done. */
        DeadLetterResolution: {
            reason: string;
        };
        /** @description How a letter is replayed; left out: as it is. */
        DeadLetterToReplay: {
            /**
             * @description Of a queue's or a topic's letter: another message in place of its own, any JSON value.
             * @default null
             */
            message?: unknown;
        };
        /** @description Which letters are replayed together; without a word those that nobody resolved. */
        DeadLettersToReplay: {
            script_id?: components["schemas"]["ScriptId"] | null;
            source?: string | null;
            trigger_id?: components["schemas"]["TriggerId"] | null;
        };
        /** @description Why no attempt is left. */
        DeadReason: "attempts_exhausted" | "depth_exceeded" | "abandoned" | "script_gone";
        /**
         * Format: uuid
         * @description One event for one trigger.
         */
        DeliveryId: string;
        /** @description What is still to be done for an execution that was accepted. */
        DeliveryProgress: {
            /**
             * Format: uint32
             * @description Attempts that failed so far.
             */
            attempts: number;
            /**
             * Format: date-time
             * @description When it is attempted next, or the lease of this attempt ends.
             */
            due_at: string | null;
            id: components["schemas"]["DeliveryId"];
            /** @description `due`, `claimed`, `held` or `dead`. */
            state: string;
        };
        /** @description A script with the version that is active in a deployment. */
        DeployedScript: {
            /** @description Interfaces that it can reach, by itself and through modules. */
            capabilities: string[];
            description: string;
            /** @description The digest of the version: source and limits. */
            digest: string;
            kind: components["schemas"]["ScriptKind"];
            limits: components["schemas"]["ScriptLimits"];
            name: string;
            /**
             * Format: int32
             * @description The number of the version in its script; 0 where it was none yet when the deployment was stored.
             */
            version: number;
        };
        /** @description An immutable state of an app. */
        Deployment: {
            /**
             * Format: date-time
             * @description When it last became what runs.
             */
            activated_at: string | null;
            /** @description Whether it is what runs. */
            active: boolean;
            app_id: components["schemas"]["AppId"];
            /** @description What made it: `route.create`, `deployment.apply`, … */
            cause: string;
            /** Format: date-time */
            created_at: string;
            /** @description Who made it; null once that person is gone, and for the operator. */
            created_by: components["schemas"]["UserId"] | null;
            /**
             * Format: int32
             * @description Its number in the app, from 1.
             */
            deployment: number;
            /** @description SHA-256 over sources, modules, limits, routes, triggers, grants and topics, hex: the same state has the same. */
            digest: string;
            message: string;
            /** @description Of one that was asked for by its number. */
            state?: components["schemas"]["DeploymentState"] | null;
        };
        /** @description One thing that differs. */
        DeploymentChange: {
            action: components["schemas"]["ChangeAction"];
            /** @description As it is to be; left out of what goes. */
            after?: unknown;
            /** @description As it was; left out of what is new. Of a script without its source. */
            before?: unknown;
            /** @description What can be reached by it that could not before: capabilities of a script, patterns of a grant. */
            gained?: string[];
            /** @description What cannot any more. */
            lost?: string[];
            /** @description For people: a script's name, `GET /path → script`, `kv orders → script`, a capability, a topic. */
            name: string;
            /** @description Of a script: `source`, `modules`, `limits`, `description`, `kind`, `capabilities`. */
            parts?: string[];
            /** @description The lines of its source that differ, in the unified form. */
            source?: string | null;
            thing: components["schemas"]["ChangedThing"];
        };
        /** @description What differs between two deployments. */
        DeploymentDifference: {
            /** Format: int32 */
            after: number;
            /**
             * Format: int32
             * @description The one that was held against.
             */
            before: number;
            changes: components["schemas"]["DeploymentChange"][];
        };
        /** @description A page of a list. */
        DeploymentList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Deployment"][];
        };
        /** @description What a change would make, or made, different. */
        DeploymentPlan: {
            /** @description Whether it was made; never where nothing differs. */
            applied: boolean;
            /** @description The digest of what runs, or ran before. */
            base: string;
            /** @description Grants, scripts, routes, triggers, topics. */
            changes: components["schemas"]["DeploymentChange"][];
            /**
             * Format: int32
             * @description The number of what runs; null before the app's first change.
             */
            deployment: number | null;
            /** @description The digest of what is to run, or runs now. */
            digest: string;
            /** @description What does not come back with it. */
            notes: string[];
            /**
             * Format: int32
             * @description The number of the deployment that was stored and does not run.
             */
            stored?: number | null;
        };
        /** @description What an app runs. */
        DeploymentState: {
            /** @description Patterns by capability. */
            grants: {
                [key: string]: string[];
            };
            /** @description In the order of script, path, host and method. */
            routes: components["schemas"]["RouteState"][];
            /** @description By name. */
            scripts: components["schemas"]["DeployedScript"][];
            /** @description Who may subscribe, by registered topic. */
            topics?: {
                [key: string]: components["schemas"]["TopicAccess"];
            };
            /** @description In the order of script, kind and rule; one that listens to another's letters after that. */
            triggers: components["schemas"]["TriggerState"][];
        };
        /** @description Where a source is wrong. */
        Diagnostic: {
            /** Format: uint32 */
            column?: number | null;
            /** Format: uint32 */
            line?: number | null;
            message: string;
        };
        /** @description Whether a caller waits for the script. */
        DispatchMode: "sync" | "async";
        /** @description A document. */
        Document: {
            /** Format: date-time */
            created_at: string;
            /** @description Any map. */
            data: {
                [key: string]: unknown;
            };
            id: string;
            /**
             * Format: int64
             * @description Grows by one with every write.
             */
            revision: number;
            /** Format: date-time */
            updated_at: string;
        };
        /** @description What of a document changes. */
        DocumentChange: {
            /** @description Is merged into what is there (RFC 7396): maps are merged, null takes away, anything else replaces. */
            data: {
                [key: string]: unknown;
            };
        };
        /** @description What a document is to be. */
        DocumentData: {
            /** @description Any map, in place of what is there. */
            data: {
                [key: string]: unknown;
            };
        };
        /** @description A page of a list. */
        DocumentList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Document"][];
        };
        /** @description A host name that an app claims, and how to prove whose it is. */
        Domain: {
            app_id: components["schemas"]["AppId"];
            /** Format: date-time */
            created_at: string;
            /** @description Null once that person is gone. */
            created_by: components["schemas"]["UserId"] | null;
            /** @description A name, or `*.` and one: every name of one label below it. */
            host: string;
            id: components["schemas"]["DomainId"];
            /** @description What to set up for `verify` to find; one of them is enough. */
            proofs: {
                dns: {
                    /** @description Where the record stands. */
                    name: string;
                    type: string;
                    /** @description What it says. */
                    value: string;
                };
                /** @description Null for a wildcard, which is no host that could answer. */
                http: {
                    /** @description What with. */
                    body: string;
                    /** @description Where whoever serves the host now answers, with status 200. */
                    url: string;
                } | null;
            };
            /** @description What proved it; null while pending. */
            proven_by: components["schemas"]["DomainProofMethod"] | null;
            /** @description `pending`: claimed, which keeps nobody else from it; `verified`: proven, and the app answers there. */
            state: string;
            /** Format: date-time */
            updated_at: string;
            /**
             * Format: date-time
             * @description Null while pending.
             */
            verified_at: string | null;
        };
        /**
         * Format: uuid
         * @description A host name that an app claims.
         */
        DomainId: string;
        /** @description A page of a list. */
        DomainList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Domain"][];
        };
        /** @description What proves a claim. */
        DomainProofMethod: "dns" | "http" | "operator";
        /** @description How a domain is to be proven. */
        DomainVerification: {
            /** @description `operator` takes `instance:admin`: one's word, for a name that public name servers do not know. */
            method: components["schemas"]["DomainProofMethod"];
        };
        /** @description A failure of the platform's own, on either plane. */
        Error: {
            error: {
                /** @description Stable, snake_case: for programs. */
                code: string;
                /** @description What the message speaks of, for programs: the field, the other thing, the bound. */
                details?: {
                    [key: string]: unknown;
                };
                /** @description For people: what is wrong, where, and how to mend it. */
                message: string;
                /** @description That of the header `x-request-id`. */
                request_id: components["schemas"]["RequestId"];
            };
        };
        /**
         * Format: uuid
         * @description An immutable fact.
         */
        EventId: string;
        /** @description Where an event is from. */
        EventSource: ("kv" | "docs" | "files" | "cron" | "pubsub" | "queue" | "email" | "dead_letter") | "http" | "invoke";
        /** @description The record of one run of a script. */
        Execution: {
            app_id: components["schemas"]["AppId"];
            /** Format: uint32 */
            attempt?: number | null;
            /** @description Null when it answered. */
            error: components["schemas"]["ScriptFailure"] | null;
            /** @description Of what an event caused: the event, the trigger (none for a call that nobody waited for), the attempt. */
            event_id?: components["schemas"]["EventId"] | null;
            id: components["schemas"]["ExecutionId"];
            /** @description Of one execution that was asked for by its id. */
            logs?: components["schemas"]["LogLine"][] | null;
            /**
             * Format: uint32
             * @description Lines that were too many.
             */
            logs_dropped: number;
            outcome: components["schemas"]["Outcome"];
            request_id: components["schemas"]["RequestId"];
            script_id: components["schemas"]["ScriptId"];
            /** Format: date-time */
            started_at: string;
            /**
             * Format: uint16
             * @description Of the answer, as over HTTP.
             */
            status: number;
            /** @description Of the trace that it is part of, 32 hex digits: the caller's (`traceparent`), else the digits of `request_id`. */
            trace_id: string;
            trigger_id?: components["schemas"]["TriggerId"] | null;
            usage: components["schemas"]["Usage"];
            /**
             * Format: int32
             * @description Number of the version that ran.
             */
            version: number;
        };
        /**
         * Format: uuid
         * @description One run of one version, and its record.
         */
        ExecutionId: string;
        /** @description A page of a list. */
        ExecutionList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Execution"][];
        };
        /** @description An execution that ended; of an event's, what else there is of that event. */
        ExecutionRecord: {
            app_id: components["schemas"]["AppId"];
            /** Format: uint32 */
            attempt?: number | null;
            /** @description Every execution of the event, this one among them. */
            attempts?: components["schemas"]["Execution"][] | null;
            /** @description What is still to be done for the event. */
            delivery?: components["schemas"]["DeliveryProgress"] | null;
            /** @description Null when it answered. */
            error: components["schemas"]["ScriptFailure"] | null;
            /** @description Of what an event caused: the event, the trigger (none for a call that nobody waited for), the attempt. */
            event_id?: components["schemas"]["EventId"] | null;
            id: components["schemas"]["ExecutionId"];
            /** @description Of one execution that was asked for by its id. */
            logs?: components["schemas"]["LogLine"][] | null;
            /**
             * Format: uint32
             * @description Lines that were too many.
             */
            logs_dropped: number;
            outcome: components["schemas"]["Outcome"];
            request_id: components["schemas"]["RequestId"];
            script_id: components["schemas"]["ScriptId"];
            /** Format: date-time */
            started_at: string;
            /**
             * Format: uint16
             * @description Of the answer, as over HTTP.
             */
            status: number;
            /** @description Of the trace that it is part of, 32 hex digits: the caller's (`traceparent`), else the digits of `request_id`. */
            trace_id: string;
            trigger_id?: components["schemas"]["TriggerId"] | null;
            usage: components["schemas"]["Usage"];
            /**
             * Format: int32
             * @description Number of the version that ran.
             */
            version: number;
        };
        /** @description One try that did not succeed. */
        FailedAttempt: {
            error: components["schemas"]["ScriptFailure"];
            /** @description Null where no execution began. */
            execution_id: components["schemas"]["ExecutionId"] | null;
            /** @description The last lines that it logged. */
            logs: {
                /** Format: date-time */
                at: string;
                /** @description Any JSON value. */
                data: unknown;
                level: components["schemas"]["LogLevel"];
                message: string;
            }[];
            /**
             * Format: uint32
             * @description From 1.
             */
            number: number;
            outcome: components["schemas"]["Outcome"];
            /** Format: date-time */
            started_at: string;
            /** Format: int32 */
            version: number | null;
            /** Format: uint64 */
            wall_us: number;
        };
        /**
         * @description What went wrong, as the caller's `error.code`.
         * @enum {string}
         */
        FailureCode: "script_error" | "invalid_response" | "response_too_large" | "fuel_exhausted" | "memory_exceeded" | "deadline_exceeded" | "overloaded" | "rate_limited" | "internal";
        /** @description A file, without its content. */
        File: {
            content_type: string;
            /** Format: date-time */
            created_at: string;
            id: components["schemas"]["FileId"];
            name: string;
            /**
             * Format: int64
             * @description Grows by one with every change of the content.
             */
            revision: number;
            /** @description Of the content; lower-case hex. */
            sha256: string;
            /** Format: uint64 */
            size_bytes: number;
            /** Format: date-time */
            updated_at: string;
        };
        /**
         * Format: uuid
         * @description A file of an app.
         */
        FileId: string;
        /** @description A page of a list. */
        FileList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["File"][];
        };
        /** @description The event of a tick that a person caused. */
        FiredSchedule: {
            event_id: components["schemas"]["EventId"];
        };
        FollowData: components["schemas"]["FollowLine"] | components["schemas"]["FollowEnd"];
        /** @description The end of an execution: it comes after its lines. */
        FollowEnd: {
            /**
             * Format: date-time
             * @description When it ended.
             */
            at: string;
            /** Format: uint32 */
            attempt?: number | null;
            /** @description Null when it answered. */
            error: components["schemas"]["ScriptFailure"] | null;
            execution_id: components["schemas"]["ExecutionId"];
            /**
             * Format: uint32
             * @description Lines that were too many.
             */
            logs_dropped: number;
            outcome: components["schemas"]["Outcome"];
            script_id: components["schemas"]["ScriptId"];
            script_name: string;
            /** Format: date-time */
            started_at: string;
            /**
             * Format: uint16
             * @description Of the answer, as over HTTP.
             */
            status: number;
            /** @description Of what an event caused. */
            trigger_id?: components["schemas"]["TriggerId"] | null;
            usage: components["schemas"]["Usage"];
            /** Format: int32 */
            version: number;
        };
        /** @description A line, or the end of an execution. In a stream the three are the fields of an event. */
        FollowItem: {
            data: components["schemas"]["FollowData"];
            event: components["schemas"]["FollowWord"];
            /** @description Goes on after it, as a cursor or as `Last-Event-ID`. */
            id: string;
        };
        /** @description A line that a script logged. */
        FollowLine: {
            /** Format: date-time */
            at: string;
            /** @description Any JSON value. */
            data?: unknown;
            execution_id: components["schemas"]["ExecutionId"];
            level: components["schemas"]["LogLevel"];
            message: string;
            script_id: components["schemas"]["ScriptId"];
            script_name: string;
            /**
             * Format: int32
             * @description Its place in the execution's log, from 0.
             */
            seq: number;
            /** Format: int32 */
            version: number;
        };
        /** @description A page of what was logged, the oldest first. */
        FollowPage: {
            /** @description Goes on after the last item: never null, because more will come. */
            cursor: string;
            /** @description Whether more is there already. */
            has_more: boolean;
            items: components["schemas"]["FollowItem"][];
        };
        /** @enum {string} */
        FollowWord: "line" | "execution";
        /** @description What there is of an execution. */
        FollowedExecution: components["schemas"]["ExecutionRecord"] | components["schemas"]["AcceptedExecution"];
        /** @description Every capability with its patterns; an empty list grants nothing. */
        Grants: {
            [key: string]: string[];
        };
        /** @description Whether this node can work. */
        Health: {
            /** @description `ok` */
            status: string;
        };
        /** @description What an app did within a minute, or an hour. */
        HealthPeriod: {
            /**
             * Format: date-time
             * @description When it began (UTC).
             */
            at: string;
            /** Format: uint64 */
            calls: number;
            /** Format: uint64 */
            failed: number;
            /** Format: uint64 */
            fuel: number;
        };
        /** @description One call from a script to the host. */
        HostCall: {
            /**
             * Format: uint64
             * @description Since the run began, µs.
             */
            began_us: number;
            /**
             * Format: uint64
             * @description What it brought in.
             */
            bytes_in: number;
            /**
             * Format: uint64
             * @description What it took out.
             */
            bytes_out: number;
            /** @description The code of what it failed with; null where it did not. */
            error: string | null;
            function: string;
            interface: string;
            /** Format: uint64 */
            took_us: number;
        };
        /** @description The app that was made of an archive: how many of everything it has, and what is not as it was. */
        ImportedApp: {
            app: components["schemas"]["App"];
            /** Format: uint64 */
            documents: number;
            /** Format: uint64 */
            files: number;
            /** Format: uint64 */
            kv_entries: number;
            /** @description For people: what was left out, what is to be set again. */
            notes: string[];
            /** Format: uint64 */
            routes: number;
            /** Format: uint64 */
            scripts: number;
            /** Format: uint64 */
            triggers: number;
            /** Format: uint64 */
            versions: number;
        };
        /**
         * @description What a value is.
         * @enum {string}
         */
        KvEncoding: "json" | "blob";
        /** @description An entry. */
        KvEntry: {
            encoding: components["schemas"]["KvEncoding"];
            /**
             * Format: date-time
             * @description Null: it stays.
             */
            expires_at: string | null;
            key: string;
            /**
             * Format: int64
             * @description Grows by one with every write.
             */
            revision: number;
            /** @description Any JSON value; of a blob its bytes, in base64. */
            value: unknown;
        };
        /** @description A page of a list. */
        KvEntryList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["KvEntry"][];
        };
        /**
         * @description `default` holds where nobody asked for more; `ceiling` is the most anyone may ask for. Both are the same where the
         *     bound is not for asking. `floor`, where there is one, is the least.
         */
        Limit: {
            about: string;
            /** Format: uint64 */
            ceiling: number;
            /** Format: uint64 */
            default: number;
            /** Format: uint64 */
            floor?: number | null;
            /** @description For whom it can be set. */
            level: components["schemas"]["LimitLevel"];
            name: string;
            unit: string;
        };
        /**
         * @description A script asks for its limits when it is published, no more than its app's quota of the same name; an app's quota is set by
         *     administrators of the instance; what is the platform's is the same for all.
         * @enum {string}
         */
        LimitLevel: "script" | "app" | "platform";
        /** @description Every bound that concerns people. */
        Limits: {
            items: components["schemas"]["Limit"][];
        };
        /** @description A logged line, with the execution that it is of. */
        LogEntry: {
            /** Format: date-time */
            at: string;
            /** @description Any JSON value. */
            data?: unknown;
            execution_id: components["schemas"]["ExecutionId"];
            level: components["schemas"]["LogLevel"];
            message: string;
            /**
             * Format: int32
             * @description Its place in the execution's log, from 0.
             */
            seq: number;
        };
        /** @description A page of a list. */
        LogEntryList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["LogEntry"][];
        };
        /** @enum {string} */
        LogLevel: "trace" | "debug" | "info" | "warn" | "error";
        /** @description A line that a script logged. */
        LogLine: {
            /** Format: date-time */
            at: string;
            /** @description Any JSON value. */
            data?: unknown;
            level: components["schemas"]["LogLevel"];
            message: string;
        };
        /** @description A login, with the only sight of its token. */
        Login: {
            /**
             * Format: date-time
             * @description Unless it is used before then.
             */
            expires_at: string;
            /** @description The bearer credential. */
            token: string;
            user: components["schemas"]["Person"];
        };
        /** @description What an app is to be. */
        Manifest: {
            /**
             * @description Patterns by capability; a capability that is not named is not granted. Left out as a whole: as they are.
             * @default null
             */
            grants?: {
                [key: string]: string[];
            } | null;
            /** @description By name. A script that is not named here is to go. */
            scripts?: {
                [key: string]: components["schemas"]["ManifestScript"];
            };
            /**
             * @description Who may subscribe, by topic; what is not named is not registered. Left out as a whole: as they are.
             * @default null
             */
            topics?: {
                [key: string]: components["schemas"]["TopicAccess"];
            } | null;
        };
        /** @description A path that leads to the script. */
        ManifestRoute: {
            /** @description `sync` (left out) or `async`. */
            dispatch_mode?: string | null;
            /** @description A host of the app's; left out: any of them. */
            host?: string | null;
            /** @description Left out, `ANY` or `*`: any. */
            method?: string | null;
            /** @description Exact (`/a`), with parameters (`/users/:id`), or everything below (`/files/*`). */
            path: string;
        };
        /** @description What a script is to be. */
        ManifestScript: {
            /** @default  */
            description?: string;
            /** @default endpoint */
            kind?: components["schemas"]["ScriptKind"];
            /** @description What is left out has the platform's default. */
            limits?: components["schemas"]["AskedScriptLimits"];
            /** @default [] */
            routes?: components["schemas"]["ManifestRoute"][];
            source: string;
            /** @default [] */
            triggers?: components["schemas"]["ManifestTrigger"][];
        };
        /** @description A manifest to be applied. */
        ManifestToApply: {
            /**
             * @description False: it is stored as a deployment that does not run, to be looked at and made active later.
             * @default true
             */
            activate?: boolean;
            /** @description `base` of a plan: 409 once something else runs. Left out: whatever runs when this comes. */
            base?: string | null;
            manifest: components["schemas"]["Manifest"];
            /** @default  */
            message?: string;
        };
        /** @description A manifest to be looked at. */
        ManifestToPlan: {
            manifest: components["schemas"]["Manifest"];
        };
        /** @description What has the script run on events: its kind, the fields of that kind, and what is to be otherwise than by default. */
        ManifestTrigger: {
            /** @description Of dead letters: only those of this script. */
            about_script?: string | null;
            /**
             * Format: uint
             * @description Of dead letters: only those of the trigger at this place, from 0, of all triggers of the manifest: scripts by name, and
             *     each one's triggers in their order.
             */
            about_trigger?: number | null;
            backoff?: string | null;
            /** Format: uint32 */
            base_delay_ms?: number | null;
            collection?: string | null;
            /** @description Left out: it runs. */
            enabled?: boolean | null;
            jitter?: boolean | null;
            /** @description `kv`, `docs`, `files`, `cron`, `pubsub`, `queue`, `email` or `dead_letter`. */
            kind: string;
            /** Format: uint32 */
            max_attempts?: number | null;
            /** Format: uint32 */
            max_delay_ms?: number | null;
            /** @description Left out: all. */
            ops?: string[] | null;
            queue?: string | null;
            schedule?: string | null;
            /** @description The name of a secret. */
            secret?: string | null;
            /** @description Of dead letters: only those of this source. */
            source?: string | null;
            /** @description Left out: UTC. */
            timezone?: string | null;
            topic?: string | null;
        };
        /** @description The route and script that would answer, or the reason why none would. */
        MatchedRequest: {
            app?: {
                id: components["schemas"]["AppId"];
                slug: string;
            } | null;
            matched: boolean;
        } & ({
            /** @description What the path's parameters stand for. */
            params: {
                [key: string]: unknown;
            };
            /** @description What is below a prefix. */
            rest: string | null;
            route: components["schemas"]["Route"];
            script: {
                id: components["schemas"]["ScriptId"];
                name: string;
                /** Format: int32 */
                version: number;
            };
        } | {
            /** @description What the path does allow, when only the method is wrong. */
            allow?: string[];
            message: string;
            /** @description `unknown_host`, `no_route`, `method_not_allowed` or `malformed_path`. */
            reason: string;
        });
        /** @description Who asks, and with which credential. */
        Me: {
            /** @description The one app that an API key is good for; null: every app of its owner. */
            app_id: components["schemas"]["AppId"] | null;
            credential: components["schemas"]["CredentialKind"];
            id: components["schemas"]["UserId"];
            role: components["schemas"]["Role"];
            /** @description What an API key may of what its owner may; null for a login, which may all of that. */
            scopes: components["schemas"]["Scope"][] | null;
            username: string;
        };
        /** @description A person's role in an app. */
        Member: {
            /** Format: date-time */
            created_at: string;
            role: components["schemas"]["AppRole"];
            /** Format: date-time */
            updated_at: string;
            user_id: components["schemas"]["UserId"];
            username: string;
        };
        /** @description A page of a list. */
        MemberList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Member"][];
        };
        /** @description An API key to be made. */
        NewApiKey: {
            /** @description The one app that it is good for, by id or slug; left out: every app of its owner. */
            app_id?: string | null;
            /**
             * Format: date-time
             * @description Left out: never.
             */
            expires_at?: string | null;
            name: string;
            /** @description What it may do of what its owner may. */
            scopes: components["schemas"]["Scope"][];
        };
        /** @description A new API key; the only answer that shows its token. */
        NewApiKeyToken: {
            /** @description The one app that it is good for; null: every app of its owner. */
            app_id: components["schemas"]["AppId"] | null;
            /** Format: date-time */
            created_at: string;
            /**
             * Format: date-time
             * @description Null: never.
             */
            expires_at: string | null;
            id: components["schemas"]["ApiKeyId"];
            /**
             * Format: date-time
             * @description In steps of five minutes; null: never used.
             */
            last_used_at: string | null;
            name: string;
            /** @description How its token begins. */
            prefix: string;
            scopes: components["schemas"]["Scope"][];
            /** @description `pic_` and 76 hex digits: the bearer credential. */
            token: string;
        };
        /** @description An app to be made. */
        NewApp: {
            name: string;
            slug: string;
            /**
             * @description Also a slug that still leads to the app that had it before (409 `slug_redirects` without).
             * @default false
             */
            takeover?: boolean;
        };
        NewCronTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description Six fields, seconds first. */
            schedule: string;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
            /** @description An IANA zone; left out: UTC. */
            timezone?: string | null;
        };
        /** @description Which dead letters; what is left out may be anything. */
        NewDeadLetterFilter: {
            script_id?: components["schemas"]["ScriptId"] | null;
            source?: string | null;
            trigger_id?: components["schemas"]["TriggerId"] | null;
        };
        NewDeadLetterTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Left out: all. */
            filter?: components["schemas"]["NewDeadLetterFilter"] | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
        };
        NewDocsTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description A name, a prefix that ends in `*`, or `*`. */
            collection: string;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description Of `insert`, `update`, `delete`; left out: all. */
            ops?: string[] | null;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
        };
        /** @description A document to make. */
        NewDocument: {
            /** @description Any map. */
            data: {
                [key: string]: unknown;
            };
            /** @description Left out: a new UUID. */
            id?: string | null;
        };
        /** @description A domain to be claimed. */
        NewDomain: {
            /** @description `shop.example.com`, or `*.example.com` for every name of one label below. */
            host: string;
        };
        NewEmailTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
            /** @description Name of the secret that signs what brings mail in. */
            secret: string;
        };
        NewFilesTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description A name, a prefix that ends in `*`, or `*`. */
            collection: string;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description Of `insert`, `update`, `delete`; left out: all. */
            ops?: string[] | null;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
        };
        /** @description Patterns by capability: names, prefixes that end in `*`, or `*`; of `http` hosts and networks. */
        NewGrants: {
            [key: string]: string[];
        };
        /** @description A value for an entry. */
        NewKvEntry: {
            /** @description Left out: `json`. */
            encoding?: components["schemas"]["KvEncoding"] | null;
            /**
             * Format: int64
             * @description It expires so many seconds from now; left out: it stays.
             */
            ttl_s?: number | null;
            /** @description Any JSON value; of a blob its bytes, in base64. */
            value: unknown;
        };
        NewKvTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description A name, a prefix that ends in `*`, or `*`. */
            collection: string;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description Of `insert`, `update`, `delete`; left out: all. */
            ops?: string[] | null;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
        };
        /** @description What a person is to be in the app. */
        NewMember: {
            role: components["schemas"]["AppRole"];
        };
        /** @description The password that is, and the one that is to be. */
        NewPassword: {
            current: string;
            new: string;
        };
        /** @description A preview link to be made. */
        NewPreviewLink: {
            /**
             * Format: int64
             * @description It admits for so many seconds; left out: a week.
             */
            expires_in_s?: number | null;
        };
        NewPubsubTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
            /** @description A name, `prefix.*`, or `*`. */
            topic: string;
        };
        /** @description A message for a queue. */
        NewQueueMessage: {
            /** @description The message is not sent again while this key is remembered. */
            dedup_key?: string | null;
            /**
             * Format: int64
             * @description Left out: at once.
             */
            delay_s?: number | null;
            /** @description Any JSON value. */
            message: unknown;
        };
        NewQueueTrigger: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description `async`, as without it. */
            dispatch_mode?: string | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
            /** @description It has no other consumer. */
            queue: string;
            /** @description An endpoint of the app. */
            script_id: components["schemas"]["ScriptId"];
        };
        /**
         * @description The same as a person states them; what is left out is as it is, or has its default. `GET /api/v1/limits` tells
         *     what each means.
         */
        NewQuota: {
            /** Format: uint64 */
            concurrency?: number | null;
            /** Format: uint64 */
            data_bytes?: number | null;
            /** Format: uint64 */
            event_depth?: number | null;
            /** Format: uint64 */
            file_bytes?: number | null;
            /** Format: uint64 */
            fuel?: number | null;
            /** Format: uint64 */
            fuel_burst?: number | null;
            /** Format: uint64 */
            fuel_per_s?: number | null;
            /** Format: uint64 */
            host_calls?: number | null;
            /** Format: uint64 */
            kv_value_bytes?: number | null;
            /** Format: uint64 */
            log_bytes?: number | null;
            /** Format: uint64 */
            log_bytes_per_day?: number | null;
            /** Format: uint64 */
            log_line_bytes?: number | null;
            /** Format: uint64 */
            memory_mb?: number | null;
            /** Format: uint64 */
            modules?: number | null;
            /** Format: uint64 */
            outbound_per_s?: number | null;
            /** Format: uint64 */
            outbound_requests?: number | null;
            /** Format: uint64 */
            request_body_bytes?: number | null;
            /** Format: uint64 */
            requests_per_s?: number | null;
            /** Format: uint64 */
            response_body_bytes?: number | null;
            /** Format: uint64 */
            scripts?: number | null;
            /** Format: uint64 */
            source_bytes?: number | null;
            /** Format: uint64 */
            statements?: number | null;
            /** Format: uint64 */
            timeout_ms?: number | null;
            /** Format: uint64 */
            triggers?: number | null;
            /** Format: uint64 */
            weight?: number | null;
        };
        /** @description A route to be made. */
        NewRoute: {
            /** @description `sync` (left out) or `async`: the caller is told at once where the execution will be found. */
            dispatch_mode?: string | null;
            /** @description A host of the app's; left out: any of them. */
            host?: string | null;
            /** @description Left out, `ANY` or `*`: any. */
            method?: string | null;
            /** @description Exact (`/a`), with parameters (`/users/:id`), or everything below (`/files/*`). */
            path: string;
        };
        /** @description A script to be made. */
        NewScript: {
            /** @description Id or slug. */
            app_id: string;
            /** @default  */
            description?: string;
            /** @default endpoint */
            kind?: components["schemas"]["ScriptKind"];
            limits?: components["schemas"]["AskedScriptLimits"] | null;
            /**
             * @description What you say of the version.
             * @default
             */
            message?: string;
            /** @description `a-z 0-9 _ -`, first a letter or digit; unique in the app. */
            name: string;
            source: string;
        };
        /** @description A version to be published. */
        NewScriptVersion: {
            /**
             * @description False: it is stored, and what is active stays so.
             * @default true
             */
            activate?: boolean;
            /** @description Left out: as it is. */
            description?: string | null;
            /** @description Left out: as they are. */
            limits?: components["schemas"]["AskedScriptLimits"] | null;
            /**
             * @description What you say of the version.
             * @default
             */
            message?: string;
            source: string;
        };
        /** @description The value of a secret. */
        NewSecret: {
            value: string;
        };
        /** @description A split as it is to be. */
        NewSplit: {
            /**
             * Format: int32
             * @description The number of a deployment that is kept and does not run.
             */
            deployment: number;
            /**
             * Format: uint8
             * @description How many of a hundred requests, or visitors, it answers.
             */
            percent: number;
            /**
             * @description Whether a visitor stays with the deployment that answered first, by a cookie.
             * @default false
             */
            sticky?: boolean;
        };
        /** @description A token to be made. */
        NewSubscriberToken: {
            /** @description Names of topics, `prefix.*`, or `*`. */
            topics: string[];
            /**
             * Format: int64
             * @description How long it is good, seconds; left out: an hour.
             */
            ttl_s?: number | null;
        };
        /** @description A new token; the only answer that shows it. */
        NewSubscriberTokenMade: {
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string;
            id: components["schemas"]["SubscriberTokenId"];
            /** @description The person who made it; null for a script, and once that person is gone. */
            made_by: components["schemas"]["UserId"] | null;
            /** @description The script that made it; null for a person. */
            made_by_script: components["schemas"]["ScriptId"] | null;
            /** @description `picr_` and 64 hex digits: a bearer, or the parameter `token`, at `/realtime/topics/{topic}` of the app. */
            token: string;
            /** @description Names of topics, `prefix.*`, or `*`. */
            topics: string[];
        };
        /** @description The request that a script is to answer; what is left out is empty. */
        NewTestCall: {
            /** @description A body that is text. */
            body?: string | null;
            /** @description Any other body, in base64. */
            body_base64?: string | null;
            /** @description By name, in any case. */
            headers?: {
                [key: string]: string;
            } | null;
            /** @description Left out: `GET`, with a body `POST`. */
            method?: string | null;
            /** @description What a route's `:name` segments would be. */
            params?: {
                [key: string]: string;
            } | null;
            /** @description As it stands in a URL; left out: `/`. */
            path?: string | null;
            /** @description As it stands in a URL, without `?`. */
            query?: string | null;
            /** @description What a prefix route (`/files/*`) would leave over. */
            rest?: string | null;
            /**
             * Format: int32
             * @description Number of a stored version, which runs with the modules of now; left out: the active one.
             */
            version?: number | null;
        };
        /** @description Who may subscribe to a topic. */
        NewTopic: {
            access: components["schemas"]["TopicAccess"];
        };
        /** @description A message for a topic. */
        NewTopicMessage: {
            /** @description Any JSON value. */
            message: unknown;
        };
        /** @description A person to be added. */
        NewUser: {
            password: string;
            role: components["schemas"]["Role"];
            /** @description Starts with a letter or digit, then also `. _ @ + -`; nobody else's, in any case. */
            username: string;
        };
        /** @description A node that shares the database. */
        Node: {
            /** @description Where its control plane listens. */
            admin: string;
            /** @description Where its data plane listens; null without one. */
            data: string | null;
            /** @description Made anew at each start. */
            id: components["schemas"]["NodeId"];
            /** @description Whether it is the one that answers. */
            is_this: boolean;
            name: string;
            /** @description `ingress`, `api`, `workers` */
            roles: string[];
            /**
             * Format: int64
             * @description Number of the newest migration that its binary knows.
             */
            schema: number;
            /**
             * Format: date-time
             * @description When it was last heard of: asking here asks it.
             */
            seen_at: string;
            /** Format: date-time */
            started_at: string;
            /**
             * @description `serving`; `draining`: it was told to end; `silent`: connected to the database, without an answer; `gone`: not connected
             *     any more, though it had not said that it leaves.
             * @enum {string}
             */
            state: "serving" | "draining" | "silent" | "gone";
            /** @description Of its binary. */
            version: string;
        };
        /**
         * Format: uuid
         * @description One start of a node.
         */
        NodeId: string;
        /** @description A page of a list. */
        NodeList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Node"][];
        };
        /** @description What this node does now and what it has dropped. */
        NodeStatus: {
            /** @description Hex hash of the warm component. */
            component: string;
            database: components["schemas"]["DatabaseConnections"];
            /**
             * Format: uint
             * @description The same of handlers of events, which have places of their own and wait for them.
             */
            event_places: number;
            /** Format: uint */
            events_running: number;
            /** Format: uint */
            events_waiting: number;
            id: components["schemas"]["NodeId"];
            /**
             * Format: uint64
             * @description What instances may come to need together, bytes, and what those that run may.
             */
            memory_bytes: number;
            /** Format: uint64 */
            memory_held_bytes: number;
            name: string;
            /**
             * Format: uint
             * @description Invocations that may run at once, on the node and for one app.
             */
            places: number;
            /** Format: uint */
            places_per_app: number;
            /**
             * Format: uint
             * @description Prepared scripts held in memory.
             */
            programs: number;
            recorder: components["schemas"]["RecorderStatus"];
            /**
             * Format: uint64
             * @description Calls answered 503 `overloaded` since the start.
             */
            refused: number;
            /** @description `ingress`, `api`, `workers` */
            roles: string[];
            /** Format: uint */
            running: number;
            /** Format: date-time */
            started_at: string;
            /**
             * Format: uint64
             * @description Since then, seconds.
             */
            uptime_s: number;
            /** Format: uint */
            waiting: number;
            walls: components["schemas"]["NodeWalls"];
        };
        /** @description Which walls of the system stand around this node; null where the kernel does not say. */
        NodeWalls: {
            /** @description It can gain no privileges. */
            no_new_privileges: boolean | null;
            /** @description System calls are filtered. */
            seccomp: boolean | null;
            /** @description It is not root. */
            unprivileged_user: boolean | null;
        };
        /** @description How an invocation ended. */
        Outcome: ("fuel_exhausted" | "memory_exceeded" | "deadline_exceeded") | "responded" | "completed" | "script_failed" | "denied" | "host_fault";
        /** @description A user, as themselves. */
        Person: {
            id: components["schemas"]["UserId"];
            role: components["schemas"]["Role"];
            username: string;
        };
        /** @description A way to see a deployment. */
        PreviewLink: {
            /**
             * Format: date-time
             * @description Until when.
             */
            expires_at: string;
            /** @description Where it is seen: for a browser, which keeps what is at its end as a cookie. */
            url: string;
        };
        /** @description When a schedule ticks next, in UTC. */
        PreviewedSchedule: {
            next_ticks: string[];
            schedule: string;
            timezone: string;
        };
        /** @description What a principal is proven by, in the log's words. */
        Proof: ("session" | "api_key") | "operator";
        /** @description A manifest as it is read from a running app. */
        PulledManifest: {
            grants: {
                [key: string]: string[];
            };
            scripts: {
                [key: string]: components["schemas"]["PulledScript"];
            };
            /** @description Left out where there are none: then those of the app that it is applied to stay as they are. */
            topics?: {
                [key: string]: components["schemas"]["TopicAccess"];
            };
        };
        /** @description A script in it. */
        PulledScript: {
            description: string;
            kind: components["schemas"]["ScriptKind"];
            /** @description Those that are not the platform's default. */
            limits: {
                [key: string]: number;
            };
            /** @description As in a manifest. */
            routes: {
                [key: string]: unknown;
            }[];
            source: string;
            /** @description As in a manifest. */
            triggers: {
                [key: string]: unknown;
            }[];
        };
        /** @description How many messages were thrown away. */
        PurgedQueue: {
            /** Format: uint64 */
            purged: number;
        };
        /** @description A queue: it is there while it holds something or has a consumer. */
        Queue: {
            /**
             * Format: uint64
             * @description Messages that a handler has.
             */
            claimed: number;
            /**
             * Format: uint64
             * @description Dead letters that nobody resolved.
             */
            dead: number;
            /**
             * Format: uint64
             * @description Messages whose time is still to come: delayed, or between two attempts.
             */
            delayed: number;
            name: string;
            /** @description Its consumer. */
            trigger_id: components["schemas"]["TriggerId"] | null;
            /**
             * Format: uint64
             * @description Messages that could be delivered now, and those that have no active consumer.
             */
            waiting: number;
        };
        /** @description A page of a list. */
        QueueList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Queue"][];
        };
        /** @description What an app may use. Up to `event_depth`: the most that one of its scripts may ask for. */
        Quota: {
            /**
             * Format: uint32
             * @description requests that run at once on a node, and handlers of events, each
             * @default 256
             */
            concurrency: number;
            /**
             * Format: uint64
             * @description KV entries and documents
             * @default 1073741824
             */
            data_bytes: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 64
             */
            event_depth: number;
            /**
             * Format: uint64
             * @description files
             * @default 4294967296
             */
            file_bytes: number;
            /**
             * Format: uint64
             * @description what a script may ask for
             * @default 50000000000
             */
            fuel: number;
            /**
             * Format: uint64
             * @description fuel that may be burnt at once after a rest; more of it is waited off
             * @default 1000000000000
             */
            fuel_burst: number;
            /**
             * Format: uint64
             * @description fuel that scripts may burn on a node
             * @default 100000000000
             */
            fuel_per_s: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 100000
             */
            host_calls: number;
            /**
             * Format: uint32
             * @description one KV value
             * @default 65536
             */
            kv_value_bytes: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 1048576
             */
            log_bytes: number;
            /**
             * Format: uint64
             * @description records of executions and their log lines that are kept of a UTC day
             * @default 1073741824
             */
            log_bytes_per_day: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 65536
             */
            log_line_bytes: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 256
             */
            memory_mb: number;
            /**
             * Format: uint32
             * @description modules behind one script
             * @default 64
             */
            modules: number;
            /**
             * Format: uint32
             * @description outbound requests and mail of scripts on a node; a second's worth may come at once
             * @default 100
             */
            outbound_per_s: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 200
             */
            outbound_requests: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 16777216
             */
            request_body_bytes: number;
            /**
             * Format: uint32
             * @description requests let in on a node; a second's worth may come at once
             * @default 100000
             */
            requests_per_s: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 16777216
             */
            response_body_bytes: number;
            /**
             * Format: uint32
             * @description scripts
             * @default 1000
             */
            scripts: number;
            /**
             * Format: uint32
             * @description source of one script
             * @default 262144
             */
            source_bytes: number;
            /**
             * Format: uint32
             * @description statements of scripts in the database at once, on a node
             * @default 6
             */
            statements: number;
            /**
             * Format: uint32
             * @description what a script may ask for
             * @default 300000
             */
            timeout_ms: number;
            /**
             * Format: uint32
             * @description triggers
             * @default 1000
             */
            triggers: number;
            /**
             * Format: uint32
             * @description share of a saturated node against other apps'
             * @default 100
             */
            weight: number;
        };
        /** @description What became of the records of executions since the start. */
        RecorderStatus: {
            /**
             * Format: uint64
             * @description Records lost: the queue was full, or the database refused them for too long.
             */
            dropped: number;
            /**
             * Format: uint64
             * @description Records kept whose log lines were lost, because the lines waiting were too many bytes.
             */
            dropped_logs: number;
            /** Format: uint */
            queued: number;
            /**
             * Format: uint64
             * @description Records not kept, because their app had its `log_bytes_per_day` already.
             */
            records_over_quota: number;
            /** Format: uint64 */
            written: number;
        };
        /** @description The delivery that a letter's event has anew. */
        ReplayedDeadLetter: {
            delivery_id: components["schemas"]["DeliveryId"];
        };
        /** @description What became of letters that were to be replayed together. */
        ReplayedDeadLetters: {
            /** @description Whether there are more that can. */
            more: boolean;
            /** Format: uint */
            replayed: number;
            /**
             * Format: uint
             * @description How many cannot be, because their trigger is gone.
             */
            trigger_gone: number;
        };
        /**
         * Format: uuid
         * @description One HTTP request on either plane.
         */
        RequestId: string;
        /** @description A request that might come: its host or the app, not both. */
        RequestToMatch: {
            /** @description Id or slug, in place of its host. */
            app?: string | null;
            host?: string | null;
            /** @default GET */
            method?: string;
            path: string;
        };
        /** @description What an app is kept from; in alphabetical order, each word once. */
        Restrictions: {
            /** @description Capabilities that the app may not grant: `http`, `email`, … */
            capabilities: string[];
            /** @description Kinds of triggers that the app may not have running: `cron`, `email`, … */
            trigger_kinds: string[];
        };
        RetryState: {
            backoff: string;
            /** Format: uint32 */
            base_delay_ms: number;
            jitter: boolean;
            /** Format: uint32 */
            max_attempts: number;
            /** Format: uint32 */
            max_delay_ms: number;
        };
        /**
         * @description What a person may do on the whole instance.
         * @enum {string}
         */
        Role: "owner" | "admin" | "member";
        /** @description What is to run again. */
        Rollback: {
            /** @description `base` of a dry run: 409 once something else runs. */
            base?: string | null;
            /**
             * @description Only say what would change.
             * @default false
             */
            dry_run?: boolean;
            /** @default  */
            message?: string;
            /**
             * Format: int32
             * @description The number of a deployment. Left out: the one that ran before what runs now.
             */
            to?: number | null;
        };
        /** @description What leads requests to a script. */
        Route: {
            app_id: components["schemas"]["AppId"];
            /** Format: date-time */
            created_at: string;
            dispatch_mode: components["schemas"]["DispatchMode"];
            /** @description Null: any host of the app. */
            host: string | null;
            id: components["schemas"]["RouteId"];
            /** @description Null: any. */
            method: string | null;
            path: string;
            script_id: components["schemas"]["ScriptId"];
        };
        /**
         * Format: uuid
         * @description A rule host + method + path → script.
         */
        RouteId: string;
        /** @description A page of a list. */
        RouteList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Route"][];
        };
        /** @description Sorts by its fields in their order. */
        RouteState: {
            dispatch_mode: string;
            host: string | null;
            /** @description Null is any. */
            method: string | null;
            path: string;
            /** @description By name, as wherever a script is named. */
            script: string;
        };
        /** @description What runs, as a manifest. */
        RunningManifest: {
            /** @description Bounds of a script where nothing is said. */
            default_limits: {
                [key: string]: number;
            };
            /**
             * Format: int32
             * @description The number of what runs; null before the app's first change.
             */
            deployment: number | null;
            digest: string;
            manifest: components["schemas"]["PulledManifest"];
        };
        /** @description A schedule to be looked at. */
        ScheduleToPreview: {
            /** @description Six fields, seconds first. */
            schedule: string;
            /** @description An IANA zone; left out: UTC. */
            timezone?: string | null;
        };
        /**
         * @description What a credential may do. Seven and never more: finer rights map onto them.
         * @enum {string}
         */
        Scope: "script:read" | "script:write" | "route:write" | "domain:manage" | "log:read" | "app:admin" | "instance:admin";
        /** @description A script with the active version of it. */
        Script: {
            app_id: components["schemas"]["AppId"];
            /** @description Interfaces that it can reach, by itself and through modules. */
            capabilities: string[];
            /** Format: date-time */
            created_at: string;
            description: string;
            /** @description SHA-256 over source and limits, hex. */
            digest: string;
            id: components["schemas"]["ScriptId"];
            /** @description Modules that it imports by itself. Of one script, not of lists. */
            imports?: string[] | null;
            kind: components["schemas"]["ScriptKind"];
            limits: components["schemas"]["ScriptLimits"];
            links: components["schemas"]["ScriptLinks"];
            name: string;
            /** @description Of one script that was asked for by its id. */
            source?: string | null;
            /**
             * Format: int32
             * @description The number of the version that was just stored without being made the active one.
             */
            stored?: number | null;
            /** Format: date-time */
            updated_at: string;
            /**
             * Format: int32
             * @description Number of the active version, from 1.
             */
            version: number;
        };
        /** @description Why an invocation did not answer. For the record and for readers with `log:read`; the public sees `code` alone. */
        ScriptFailure: {
            calls?: components["schemas"]["CallFrame"][];
            code: components["schemas"]["FailureCode"];
            /** Format: uint32 */
            column?: number | null;
            /** Format: uint32 */
            line?: number | null;
            message: string;
            script?: string | null;
        };
        /**
         * Format: uuid
         * @description A named program of an app.
         */
        ScriptId: string;
        /**
         * @description `endpoint` answers requests; `module` holds functions for other scripts and cannot be routed to.
         * @enum {string}
         */
        ScriptKind: "endpoint" | "module";
        /** @description What one invocation may use. */
        ScriptLimits: {
            /**
             * Format: uint32
             * @description a chain of events that still reaches the script; a delivery past it is a dead letter at once
             * @default 16
             */
            event_depth: number;
            /**
             * Format: uint64
             * @description one invocation; about one Wasm instruction each
             * @default 500000000
             */
            fuel: number;
            /**
             * Format: uint32
             * @description calls of one invocation that reach the database or the network
             * @default 1000
             */
            host_calls: number;
            /**
             * Format: uint32
             * @description log of one invocation; further lines are dropped and counted
             * @default 262144
             */
            log_bytes: number;
            /**
             * Format: uint32
             * @description one log line; the rest is cut
             * @default 8192
             */
            log_line_bytes: number;
            /**
             * Format: uint32
             * @description linear memory of one instance
             * @default 32
             */
            memory_mb: number;
            /**
             * Format: uint32
             * @description outbound requests of one invocation, mail and redirects counted
             * @default 20
             */
            outbound_requests: number;
            /**
             * Format: uint32
             * @description body of a request to a script
             * @default 1048576
             */
            request_body_bytes: number;
            /**
             * Format: uint32
             * @description body of a script's answer
             * @default 4194304
             */
            response_body_bytes: number;
            /**
             * Format: uint32
             * @description wall clock of one invocation, host calls included
             * @default 10000
             */
            timeout_ms: number;
        };
        /** @description Where to go from a script: paths on this plane. */
        ScriptLinks: {
            /** @description Modules are not run by themselves. */
            execute?: string | null;
            executions: string;
            logs: string;
            routes: string;
            self: string;
            versions: string;
        };
        /** @description A page of a list. */
        ScriptList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Script"][];
        };
        /** @description A script that imports another. */
        ScriptUser: {
            /** @description By itself, rather than through a module. */
            direct: boolean;
            id: components["schemas"]["ScriptId"];
            kind: components["schemas"]["ScriptKind"];
            name: string;
            /** Format: int32 */
            version: number;
        };
        /** @description All of them: an app's scripts are few. */
        ScriptUsers: {
            items: components["schemas"]["ScriptUser"][];
        };
        /** @description A version of a script; it never changes. */
        ScriptVersion: {
            /** @description Interfaces that it can reach, by itself and through modules. */
            capabilities: string[];
            /** Format: date-time */
            created_at: string;
            /** @description Who published it; null once that person is gone. */
            created_by: components["schemas"]["UserId"] | null;
            /** @description SHA-256 over source and limits, hex. */
            digest: string;
            /** @description Modules that it imports by itself. Of one version that was asked for by its number. */
            imports?: string[] | null;
            limits: components["schemas"]["ScriptLimits"];
            /** @description What its author said of it. */
            message: string;
            script_id: components["schemas"]["ScriptId"];
            /** @description Of one version that was asked for by its number. */
            source?: string | null;
            /**
             * Format: int32
             * @description Its number, from 1.
             */
            version: number;
        };
        /** @description A page of a list. */
        ScriptVersionList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["ScriptVersion"][];
        };
        /** @description A secret, without its value. */
        Secret: {
            /** Format: date-time */
            created_at: string;
            name: string;
            /** Format: date-time */
            updated_at: string;
        };
        /** @description A page of a list. */
        SecretList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Secret"][];
        };
        /** @description The event that a message became. */
        SentMessage: {
            id: components["schemas"]["EventId"];
        };
        /** @description A login of one's own. */
        Session: {
            /** @description Where the login came from. */
            address: string | null;
            /** Format: date-time */
            created_at: string;
            /** @description The one that asks. */
            current: boolean;
            /**
             * Format: date-time
             * @description Unless it is used before then.
             */
            expires_at: string;
            id: components["schemas"]["SessionId"];
            /**
             * Format: date-time
             * @description In steps of five minutes.
             */
            last_used_at: string;
            /** @description What the client called itself. */
            user_agent: string | null;
        };
        /**
         * Format: uuid
         * @description A login.
         */
        SessionId: string;
        /** @description A page of a list. */
        SessionList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Session"][];
        };
        /** @description A source to be looked at. */
        SourceToCheck: {
            /** @default endpoint */
            kind?: components["schemas"]["ScriptKind"];
            /** @description As which messages name it. */
            name?: string | null;
            source: string;
        };
        /** @description Who answers beside what runs, and how much. */
        Split: {
            /**
             * Format: int32
             * @description The number of the other deployment.
             */
            deployment: number;
            /**
             * Format: uint8
             * @description How many of a hundred requests, or visitors, it answers.
             */
            percent: number;
            /** Format: date-time */
            set_at: string;
            /** @description Who set it; null once that person is gone. */
            set_by: components["schemas"]["UserId"] | null;
            /** @description Whether a visitor stays with the deployment that answered first. */
            sticky: boolean;
        };
        /** @description Why it does not run any more. */
        StoppedTrigger: {
            /** Format: date-time */
            at: string;
            reason: string;
        };
        /** @description What an app stores, bytes: each thing with its names and something for its row, so that empty ones are not free. */
        StorageUse: {
            /**
             * Format: uint64
             * @description KV entries and documents. Expired entries count until they are swept.
             */
            data_bytes: number;
            /**
             * Format: uint64
             * @description Files.
             */
            file_bytes: number;
        };
        /** @description A subscriber's token, without the token. */
        SubscriberToken: {
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string;
            id: components["schemas"]["SubscriberTokenId"];
            /** @description The person who made it; null for a script, and once that person is gone. */
            made_by: components["schemas"]["UserId"] | null;
            /** @description The script that made it; null for a person. */
            made_by_script: components["schemas"]["ScriptId"] | null;
            /** @description Names of topics, `prefix.*`, or `*`. */
            topics: string[];
        };
        /**
         * Format: uuid
         * @description What a subscriber shows.
         */
        SubscriberTokenId: string;
        /** @description A page of a list. */
        SubscriberTokenList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["SubscriberToken"][];
        };
        /** @description A run of a script, as somebody sees it who watches. */
        TestCall: {
            /** @description The answer's body, where that is text. */
            body: string | null;
            /** @description The same in base64, where it is not. */
            body_base64: string | null;
            /** @description What it asked of the host, in order; of a script that it called, the call. */
            calls: components["schemas"]["HostCall"][];
            /**
             * Format: uint32
             * @description Calls that were too many to be told.
             */
            calls_dropped: number;
            /** @description Its record is at `/api/v1/executions/{execution_id}`. */
            execution_id: components["schemas"]["ExecutionId"];
            /** @description Null when it answered. */
            failure: components["schemas"]["ScriptFailure"] | null;
            /** @description Names and values as the script gave them. */
            headers: [
                string,
                string
            ][];
            logs: components["schemas"]["LogLine"][];
            /**
             * Format: uint32
             * @description Lines that were too many.
             */
            logs_dropped: number;
            outcome: components["schemas"]["Outcome"];
            /**
             * Format: uint16
             * @description Of the answer, as over HTTP.
             */
            status: number;
            usage: components["schemas"]["Usage"];
            /**
             * Format: int32
             * @description Number of the version that ran.
             */
            version: number;
        };
        /** @description A topic that something was published to, or that is registered. */
        Topic: {
            /** @description Who may; of one that is not registered nobody. */
            access: components["schemas"]["TopicAccess"];
            /**
             * Format: date-time
             * @description Null before the first.
             */
            last_at: string | null;
            /**
             * Format: uint64
             * @description The number of the last message that subscribers could get; 0 before the first.
             */
            last_seq: number;
            name: string;
            /** Format: uint64 */
            published: number;
            /** @description Whether somebody said who may subscribe to it. */
            registered: boolean;
            /**
             * Format: uint64
             * @description Active triggers that are for it now.
             */
            triggers: number;
            /**
             * Format: uint64
             * @description Of these, messages that no trigger was for.
             */
            unmatched: number;
        };
        /** @description Who may subscribe to a topic. */
        TopicAccess: "internal" | "public" | "token";
        /** @description A page of a list. */
        TopicList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Topic"][];
        };
        /** @description What has a script run on events; beside what all have the fields of its kind. */
        Trigger: {
            app_id: components["schemas"]["AppId"];
            backoff: components["schemas"]["Backoff"];
            /**
             * Format: uint32
             * @description At most `max_delay_ms`.
             */
            base_delay_ms: number;
            counts: components["schemas"]["TriggerCounts"];
            /** Format: date-time */
            created_at: string;
            /** @description `async` */
            dispatch_mode: string;
            /** @description False for one that stopped, too. */
            enabled: boolean;
            id: components["schemas"]["TriggerId"];
            jitter: boolean;
            kind: components["schemas"]["EventSource"];
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts: number;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms: number;
            /** @description As whom it runs; null once that person is gone. */
            registered_by: components["schemas"]["UserId"] | null;
            script_id: components["schemas"]["ScriptId"];
            /** @description `active`, `disabled` or `stopped`. */
            state: string;
            stopped?: components["schemas"]["StoppedTrigger"] | null;
            /** Format: date-time */
            updated_at: string;
        } & ({
            collection: string;
            ops: components["schemas"]["ChangeOp"][];
        } | {
            /** Format: date-time */
            next_tick_at: string | null;
            /** @description Of a trigger that was asked for by its id. */
            next_ticks?: string[] | null;
            schedule: string;
            timezone: string;
        } | {
            topic: string;
        } | {
            queue: string;
        } | {
            /** @description Where the app takes mail in, as a path of its host. */
            path: string;
            /** @description Name of the secret that signs. */
            secret: string;
        } | {
            filter: components["schemas"]["DeadLetterFilter"];
        });
        /** @description What of a trigger changes; what is left out stays. */
        TriggerChange: {
            /** @description `exponential`, `linear` or `constant`. */
            backoff?: string | null;
            /**
             * Format: uint32
             * @description The wait after the first attempt.
             */
            base_delay_ms?: number | null;
            /** @description True also starts one again that stopped, as the caller's. */
            enabled?: boolean | null;
            /** @description Whether waits are drawn from their upper half. */
            jitter?: boolean | null;
            /**
             * Format: uint32
             * @description Attempts, the first included.
             */
            max_attempts?: number | null;
            /**
             * Format: uint32
             * @description The longest wait.
             */
            max_delay_ms?: number | null;
        };
        /** @description What came of its deliveries so far. */
        TriggerCounts: {
            /** Format: uint64 */
            dead: number;
            /**
             * Format: uint64
             * @description Attempts, those of dead letters included.
             */
            failed: number;
            /** Format: date-time */
            last_at: string | null;
            /** Format: uint64 */
            succeeded: number;
        };
        /**
         * Format: uuid
         * @description A rule: which events run which script.
         */
        TriggerId: string;
        /** @description A page of a list. */
        TriggerList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["Trigger"][];
        };
        /** @description What a trigger listens to: the fields of its kind, and no other. */
        TriggerRuleState: {
            /** @description Of dead letters: only those of this script. */
            about_script?: string | null;
            /**
             * Format: uint
             * @description Of dead letters: only those of the trigger at this place of the list, counted from 0; it stands before.
             */
            about_trigger?: number | null;
            collection?: string | null;
            ops?: string[] | null;
            queue?: string | null;
            schedule?: string | null;
            /** @description The name of a secret. */
            secret?: string | null;
            /** @description Of dead letters: only those of this source. */
            source?: string | null;
            timezone?: string | null;
            topic?: string | null;
        };
        /** @description Sorts by its fields in their order. */
        TriggerState: {
            /** @description Whether it was active. */
            enabled: boolean;
            kind: string;
            retry: components["schemas"]["RetryState"];
            rule: components["schemas"]["TriggerRuleState"];
            script: string;
        };
        /** @description What an invocation used. */
        Usage: {
            /**
             * Format: uint64
             * @description Request body and what host calls brought in.
             */
            bytes_in: number;
            /**
             * Format: uint64
             * @description Answer body and what host calls took out.
             */
            bytes_out: number;
            /** Format: uint64 */
            fuel: number;
            /** Format: uint32 */
            host_calls: number;
            /** Format: uint64 */
            memory_peak_bytes: number;
            /** Format: uint64 */
            wall_us: number;
        };
        /** @description A person. */
        User: {
            /** @description Whether they may log in. */
            active: boolean;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            deactivated_at: string | null;
            id: components["schemas"]["UserId"];
            role: components["schemas"]["Role"];
            /** Format: date-time */
            updated_at: string;
            username: string;
        };
        /** @description What of a person changes; what is left out stays. */
        UserChange: {
            /** @description False ends the person's logins and API keys at once. */
            active?: boolean | null;
            /** @description Ends the person's logins. */
            password?: string | null;
            role?: components["schemas"]["Role"] | null;
            username?: string | null;
        };
        /**
         * Format: uuid
         * @description A person.
         */
        UserId: string;
        /** @description A page of a list. */
        UserList: {
            /** @description Asks for the next page; null on the last one. */
            cursor: string | null;
            items: components["schemas"]["User"][];
        };
        /** @description What this node is. */
        Version: {
            api: string;
            /** @description Hex hash of the warm component that scripts run in. */
            component: string;
            product: string;
            /**
             * Format: int64
             * @description Number of the newest migration.
             */
            schema: number;
            /** @description Of the script contract: `ctx.sdk_version`. */
            sdk: string;
            version: string;
        };
        /** @description What differs between two versions of a script. */
        VersionDifference: {
            /** Format: int32 */
            after: number;
            /**
             * Format: int32
             * @description The version that was held against.
             */
            before: number;
            /** @description Interfaces that the later one can reach by itself and the other cannot. */
            gained: string[];
            limits_after: components["schemas"]["ScriptLimits"];
            limits_before: components["schemas"]["ScriptLimits"];
            lost: string[];
            /** @description Lines of the source, in the unified form; empty where it is the same. */
            source: string;
        };
        /** @description A version to be made the active one. */
        VersionToActivate: {
            /** @default  */
            message?: string;
            /**
             * Format: int32
             * @description Its number.
             */
            version: number;
        };
    };
    responses: never;
    parameters: {
        /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
        IdempotencyKey: string;
        /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
        IfMatch: string;
    };
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type AcceptedExecution = components['schemas']['AcceptedExecution'];
export type Activation = components['schemas']['Activation'];
export type ApiKey = components['schemas']['ApiKey'];
export type ApiKeyId = components['schemas']['ApiKeyId'];
export type ApiKeyList = components['schemas']['ApiKeyList'];
export type App = components['schemas']['App'];
export type AppChange = components['schemas']['AppChange'];
export type AppHealth = components['schemas']['AppHealth'];
export type AppId = components['schemas']['AppId'];
export type AppList = components['schemas']['AppList'];
export type AppQuota = components['schemas']['AppQuota'];
export type AppRole = components['schemas']['AppRole'];
export type AppStatus = components['schemas']['AppStatus'];
export type AppUsage = components['schemas']['AppUsage'];
export type AppUsageList = components['schemas']['AppUsageList'];
export type AskedScriptLimits = components['schemas']['AskedScriptLimits'];
export type AuditEntry = components['schemas']['AuditEntry'];
export type AuditEntryList = components['schemas']['AuditEntryList'];
export type Backoff = components['schemas']['Backoff'];
export type CallFrame = components['schemas']['CallFrame'];
export type CertifiedName = components['schemas']['CertifiedName'];
export type ChangeAction = components['schemas']['ChangeAction'];
export type ChangeOp = components['schemas']['ChangeOp'];
export type ChangedThing = components['schemas']['ChangedThing'];
export type CheckedSource = components['schemas']['CheckedSource'];
export type Collection = components['schemas']['Collection'];
export type CollectionList = components['schemas']['CollectionList'];
export type CredentialKind = components['schemas']['CredentialKind'];
export type Credentials = components['schemas']['Credentials'];
export type DatabaseConnections = components['schemas']['DatabaseConnections'];
export type DeadLetter = components['schemas']['DeadLetter'];
export type DeadLetterCount = components['schemas']['DeadLetterCount'];
export type DeadLetterDetail = components['schemas']['DeadLetterDetail'];
export type DeadLetterEvent = components['schemas']['DeadLetterEvent'];
export type DeadLetterFilter = components['schemas']['DeadLetterFilter'];
export type DeadLetterList = components['schemas']['DeadLetterList'];
export type DeadLetterResolution = components['schemas']['DeadLetterResolution'];
export type DeadLetterToReplay = components['schemas']['DeadLetterToReplay'];
export type DeadLettersToReplay = components['schemas']['DeadLettersToReplay'];
export type DeadReason = components['schemas']['DeadReason'];
export type DeliveryId = components['schemas']['DeliveryId'];
export type DeliveryProgress = components['schemas']['DeliveryProgress'];
export type DeployedScript = components['schemas']['DeployedScript'];
export type Deployment = components['schemas']['Deployment'];
export type DeploymentChange = components['schemas']['DeploymentChange'];
export type DeploymentDifference = components['schemas']['DeploymentDifference'];
export type DeploymentList = components['schemas']['DeploymentList'];
export type DeploymentPlan = components['schemas']['DeploymentPlan'];
export type DeploymentState = components['schemas']['DeploymentState'];
export type Diagnostic = components['schemas']['Diagnostic'];
export type DispatchMode = components['schemas']['DispatchMode'];
export type Document = components['schemas']['Document'];
export type DocumentChange = components['schemas']['DocumentChange'];
export type DocumentData = components['schemas']['DocumentData'];
export type DocumentList = components['schemas']['DocumentList'];
export type Domain = components['schemas']['Domain'];
export type DomainId = components['schemas']['DomainId'];
export type DomainList = components['schemas']['DomainList'];
export type DomainProofMethod = components['schemas']['DomainProofMethod'];
export type DomainVerification = components['schemas']['DomainVerification'];
export type Error = components['schemas']['Error'];
export type EventId = components['schemas']['EventId'];
export type EventSource = components['schemas']['EventSource'];
export type Execution = components['schemas']['Execution'];
export type ExecutionId = components['schemas']['ExecutionId'];
export type ExecutionList = components['schemas']['ExecutionList'];
export type ExecutionRecord = components['schemas']['ExecutionRecord'];
export type FailedAttempt = components['schemas']['FailedAttempt'];
export type FailureCode = components['schemas']['FailureCode'];
export type File = components['schemas']['File'];
export type FileId = components['schemas']['FileId'];
export type FileList = components['schemas']['FileList'];
export type FiredSchedule = components['schemas']['FiredSchedule'];
export type FollowData = components['schemas']['FollowData'];
export type FollowEnd = components['schemas']['FollowEnd'];
export type FollowItem = components['schemas']['FollowItem'];
export type FollowLine = components['schemas']['FollowLine'];
export type FollowPage = components['schemas']['FollowPage'];
export type FollowWord = components['schemas']['FollowWord'];
export type FollowedExecution = components['schemas']['FollowedExecution'];
export type Grants = components['schemas']['Grants'];
export type Health = components['schemas']['Health'];
export type HealthPeriod = components['schemas']['HealthPeriod'];
export type HostCall = components['schemas']['HostCall'];
export type ImportedApp = components['schemas']['ImportedApp'];
export type KvEncoding = components['schemas']['KvEncoding'];
export type KvEntry = components['schemas']['KvEntry'];
export type KvEntryList = components['schemas']['KvEntryList'];
export type Limit = components['schemas']['Limit'];
export type LimitLevel = components['schemas']['LimitLevel'];
export type Limits = components['schemas']['Limits'];
export type LogEntry = components['schemas']['LogEntry'];
export type LogEntryList = components['schemas']['LogEntryList'];
export type LogLevel = components['schemas']['LogLevel'];
export type LogLine = components['schemas']['LogLine'];
export type Login = components['schemas']['Login'];
export type Manifest = components['schemas']['Manifest'];
export type ManifestRoute = components['schemas']['ManifestRoute'];
export type ManifestScript = components['schemas']['ManifestScript'];
export type ManifestToApply = components['schemas']['ManifestToApply'];
export type ManifestToPlan = components['schemas']['ManifestToPlan'];
export type ManifestTrigger = components['schemas']['ManifestTrigger'];
export type MatchedRequest = components['schemas']['MatchedRequest'];
export type Me = components['schemas']['Me'];
export type Member = components['schemas']['Member'];
export type MemberList = components['schemas']['MemberList'];
export type NewApiKey = components['schemas']['NewApiKey'];
export type NewApiKeyToken = components['schemas']['NewApiKeyToken'];
export type NewApp = components['schemas']['NewApp'];
export type NewCronTrigger = components['schemas']['NewCronTrigger'];
export type NewDeadLetterFilter = components['schemas']['NewDeadLetterFilter'];
export type NewDeadLetterTrigger = components['schemas']['NewDeadLetterTrigger'];
export type NewDocsTrigger = components['schemas']['NewDocsTrigger'];
export type NewDocument = components['schemas']['NewDocument'];
export type NewDomain = components['schemas']['NewDomain'];
export type NewEmailTrigger = components['schemas']['NewEmailTrigger'];
export type NewFilesTrigger = components['schemas']['NewFilesTrigger'];
export type NewGrants = components['schemas']['NewGrants'];
export type NewKvEntry = components['schemas']['NewKvEntry'];
export type NewKvTrigger = components['schemas']['NewKvTrigger'];
export type NewMember = components['schemas']['NewMember'];
export type NewPassword = components['schemas']['NewPassword'];
export type NewPreviewLink = components['schemas']['NewPreviewLink'];
export type NewPubsubTrigger = components['schemas']['NewPubsubTrigger'];
export type NewQueueMessage = components['schemas']['NewQueueMessage'];
export type NewQueueTrigger = components['schemas']['NewQueueTrigger'];
export type NewQuota = components['schemas']['NewQuota'];
export type NewRoute = components['schemas']['NewRoute'];
export type NewScript = components['schemas']['NewScript'];
export type NewScriptVersion = components['schemas']['NewScriptVersion'];
export type NewSecret = components['schemas']['NewSecret'];
export type NewSplit = components['schemas']['NewSplit'];
export type NewSubscriberToken = components['schemas']['NewSubscriberToken'];
export type NewSubscriberTokenMade = components['schemas']['NewSubscriberTokenMade'];
export type NewTestCall = components['schemas']['NewTestCall'];
export type NewTopic = components['schemas']['NewTopic'];
export type NewTopicMessage = components['schemas']['NewTopicMessage'];
export type NewUser = components['schemas']['NewUser'];
export type Node = components['schemas']['Node'];
export type NodeId = components['schemas']['NodeId'];
export type NodeList = components['schemas']['NodeList'];
export type NodeStatus = components['schemas']['NodeStatus'];
export type NodeWalls = components['schemas']['NodeWalls'];
export type Outcome = components['schemas']['Outcome'];
export type Person = components['schemas']['Person'];
export type PreviewLink = components['schemas']['PreviewLink'];
export type PreviewedSchedule = components['schemas']['PreviewedSchedule'];
export type Proof = components['schemas']['Proof'];
export type PulledManifest = components['schemas']['PulledManifest'];
export type PulledScript = components['schemas']['PulledScript'];
export type PurgedQueue = components['schemas']['PurgedQueue'];
export type Queue = components['schemas']['Queue'];
export type QueueList = components['schemas']['QueueList'];
export type Quota = components['schemas']['Quota'];
export type RecorderStatus = components['schemas']['RecorderStatus'];
export type ReplayedDeadLetter = components['schemas']['ReplayedDeadLetter'];
export type ReplayedDeadLetters = components['schemas']['ReplayedDeadLetters'];
export type RequestId = components['schemas']['RequestId'];
export type RequestToMatch = components['schemas']['RequestToMatch'];
export type Restrictions = components['schemas']['Restrictions'];
export type RetryState = components['schemas']['RetryState'];
export type Role = components['schemas']['Role'];
export type Rollback = components['schemas']['Rollback'];
export type Route = components['schemas']['Route'];
export type RouteId = components['schemas']['RouteId'];
export type RouteList = components['schemas']['RouteList'];
export type RouteState = components['schemas']['RouteState'];
export type RunningManifest = components['schemas']['RunningManifest'];
export type ScheduleToPreview = components['schemas']['ScheduleToPreview'];
export type Scope = components['schemas']['Scope'];
export type Script = components['schemas']['Script'];
export type ScriptFailure = components['schemas']['ScriptFailure'];
export type ScriptId = components['schemas']['ScriptId'];
export type ScriptKind = components['schemas']['ScriptKind'];
export type ScriptLimits = components['schemas']['ScriptLimits'];
export type ScriptLinks = components['schemas']['ScriptLinks'];
export type ScriptList = components['schemas']['ScriptList'];
export type ScriptUser = components['schemas']['ScriptUser'];
export type ScriptUsers = components['schemas']['ScriptUsers'];
export type ScriptVersion = components['schemas']['ScriptVersion'];
export type ScriptVersionList = components['schemas']['ScriptVersionList'];
export type Secret = components['schemas']['Secret'];
export type SecretList = components['schemas']['SecretList'];
export type SentMessage = components['schemas']['SentMessage'];
export type Session = components['schemas']['Session'];
export type SessionId = components['schemas']['SessionId'];
export type SessionList = components['schemas']['SessionList'];
export type SourceToCheck = components['schemas']['SourceToCheck'];
export type Split = components['schemas']['Split'];
export type StoppedTrigger = components['schemas']['StoppedTrigger'];
export type StorageUse = components['schemas']['StorageUse'];
export type SubscriberToken = components['schemas']['SubscriberToken'];
export type SubscriberTokenId = components['schemas']['SubscriberTokenId'];
export type SubscriberTokenList = components['schemas']['SubscriberTokenList'];
export type TestCall = components['schemas']['TestCall'];
export type Topic = components['schemas']['Topic'];
export type TopicAccess = components['schemas']['TopicAccess'];
export type TopicList = components['schemas']['TopicList'];
export type Trigger = components['schemas']['Trigger'];
export type TriggerChange = components['schemas']['TriggerChange'];
export type TriggerCounts = components['schemas']['TriggerCounts'];
export type TriggerId = components['schemas']['TriggerId'];
export type TriggerList = components['schemas']['TriggerList'];
export type TriggerRuleState = components['schemas']['TriggerRuleState'];
export type TriggerState = components['schemas']['TriggerState'];
export type Usage = components['schemas']['Usage'];
export type User = components['schemas']['User'];
export type UserChange = components['schemas']['UserChange'];
export type UserId = components['schemas']['UserId'];
export type UserList = components['schemas']['UserList'];
export type Version = components['schemas']['Version'];
export type VersionDifference = components['schemas']['VersionDifference'];
export type VersionToActivate = components['schemas']['VersionToActivate'];
export type ParameterIdempotencyKey = components['parameters']['IdempotencyKey'];
export type ParameterIfMatch = components['parameters']['IfMatch'];
export type $defs = Record<string, never>;
export interface operations {
    keys_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKeyList"];
                };
            };
        };
    };
    keys_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewApiKey"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewApiKeyToken"];
                };
            };
        };
    };
    keys_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The API key. */
                key_id: components["schemas"]["ApiKeyId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiKey"];
                };
            };
        };
    };
    keys_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The API key. */
                key_id: components["schemas"]["ApiKeyId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    apps_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppList"];
                };
            };
        };
    };
    apps_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewApp"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["App"];
                };
            };
        };
    };
    apps_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["App"];
                };
            };
        };
    };
    apps_delete: {
        parameters: {
            query?: {
                /** @description Also with all that it still holds. */
                force?: boolean;
            };
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    apps_update: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AppChange"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["App"];
                };
            };
        };
    };
    audit_of_app: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEntryList"];
                };
            };
        };
    };
    dead_letters_list: {
        parameters: {
            query?: {
                /** @description Only those that nobody resolved. */
                unresolved?: boolean;
                /** @description Those of events from this source. */
                source?: "kv" | "docs" | "files" | "cron" | "pubsub" | "queue" | "email" | "http" | "invoke";
                /** @description Those of this trigger. */
                trigger_id?: string;
                /** @description Those of this script. */
                script_id?: string;
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetterList"];
                };
            };
        };
    };
    dead_letters_count: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetterCount"];
                };
            };
        };
    };
    dead_letters_replay_many: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeadLettersToReplay"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReplayedDeadLetters"];
                };
            };
        };
    };
    dead_letters_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The dead letter. */
                letter_id: components["schemas"]["DeliveryId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetterDetail"];
                };
            };
        };
    };
    dead_letters_replay: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The dead letter. */
                letter_id: components["schemas"]["DeliveryId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["DeadLetterToReplay"];
            };
        };
        responses: {
            /** @description It will be done. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReplayedDeadLetter"];
                };
            };
        };
    };
    dead_letters_resolve: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The dead letter. */
                letter_id: components["schemas"]["DeliveryId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DeadLetterResolution"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadLetterDetail"];
                };
            };
        };
    };
    deployments_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentList"];
                };
            };
        };
    };
    deployments_apply: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ManifestToApply"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentPlan"];
                };
            };
        };
    };
    deployments_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Number of the version, from 1. */
                number: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Deployment"];
                };
            };
        };
    };
    deployments_activate: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Number of the version, from 1. */
                number: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Activation"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentPlan"];
                };
            };
        };
    };
    deployments_diff: {
        parameters: {
            query?: {
                /** @description The number of the one that it is held against; left out: the one that runs. */
                against?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Number of the version, from 1. */
                number: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentDifference"];
                };
            };
        };
    };
    previews_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Number of the version, from 1. */
                number: number;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPreviewLink"];
            };
        };
        responses: {
            /** @description Made. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PreviewLink"];
                };
            };
        };
    };
    docs_collections: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CollectionList"];
                };
            };
        };
    };
    docs_find: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description A filter as scripts write it, in JSON: `{"paid": false, "$sort": "-total"}`. Left out: all, by id. */
                filter?: string;
                /** @description How many items the page has at most; or `$limit` in the filter. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DocumentList"];
                };
            };
        };
    };
    docs_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewDocument"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Document"];
                };
            };
        };
    };
    docs_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description Id of the document. */
                document_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Document"];
                };
            };
        };
    };
    docs_update: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description Id of the document. */
                document_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DocumentData"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Document"];
                };
            };
        };
    };
    docs_delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description Id of the document. */
                document_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    docs_patch: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description Id of the document. */
                document_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DocumentChange"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Document"];
                };
            };
        };
    };
    domains_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DomainList"];
                };
            };
        };
    };
    domains_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewDomain"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Domain"];
                };
            };
        };
    };
    domains_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The domain. */
                domain_id: components["schemas"]["DomainId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Domain"];
                };
            };
        };
    };
    domains_delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The domain. */
                domain_id: components["schemas"]["DomainId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    domains_verify: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The domain. */
                domain_id: components["schemas"]["DomainId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DomainVerification"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Domain"];
                };
            };
        };
    };
    archive_export: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The archive. One that is cut short is none: it has no end. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zstd": string;
                };
            };
        };
    };
    files_collections: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CollectionList"];
                };
            };
        };
    };
    files_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
                /** @description Only those whose names begin so. */
                prefix?: string;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileList"];
                };
            };
        };
    };
    files_create: {
        parameters: {
            query?: {
                /** @description How the file is to be called; must be given. */
                name?: string;
            };
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["File"];
                };
            };
        };
    };
    files_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description The file. */
                file_id: components["schemas"]["FileId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["File"];
                };
            };
        };
    };
    files_delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description The file. */
                file_id: components["schemas"]["FileId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    files_read: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description The file. */
                file_id: components["schemas"]["FileId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The content, of the type that the file has. One that is cut short is broken off. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "*/*": unknown;
                };
            };
        };
    };
    grants_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grants"];
                };
            };
        };
    };
    grants_replace: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewGrants"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grants"];
                };
            };
        };
    };
    grants_merge: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewGrants"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grants"];
                };
            };
        };
    };
    health_get: {
        parameters: {
            query?: {
                /** @description How far back: an hour by the minute, or a day by the hour. */
                window?: "hour" | "day";
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppHealth"];
                };
            };
        };
    };
    kv_collections: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CollectionList"];
                };
            };
        };
    };
    kv_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
                /** @description Only those whose names begin so. */
                prefix?: string;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KvEntryList"];
                };
            };
        };
    };
    kv_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description The key; what has a meaning in a URL is percent-encoded. */
                key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KvEntry"];
                };
            };
        };
    };
    kv_put: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description The key; what has a meaning in a URL is percent-encoded. */
                key: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKvEntry"];
            };
        };
        responses: {
            /** @description It was there, and is changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KvEntry"];
                };
            };
            /** @description It is new. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KvEntry"];
                };
            };
        };
    };
    kv_delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the collection. */
                collection: string;
                /** @description The key; what has a meaning in a URL is percent-encoded. */
                key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    follow_logs: {
        parameters: {
            query?: {
                /** @description Of this script, by id or name. */
                script?: string;
                /** @description Of this execution. */
                execution?: string;
                /** @description Lines of this level and above. The end of an execution counts as `error` where it failed, else as `info`. */
                level?: "trace" | "debug" | "info" | "warn" | "error";
                /** @description Of executions that ended so; `failed`: of all that did not succeed. */
                outcome?: "failed" | "responded" | "completed" | "script_failed" | "fuel_exhausted" | "memory_exceeded" | "deadline_exceeded" | "denied" | "host_fault";
                /** @description Lines whose message contains this, and failures whose message does. */
                text?: string;
                /** @description Executions that began then or later: a time, or how long ago (`90s`, `5m`, `2h`, `1d`). */
                since?: string;
                /** @description So many of the newest first. Left out, with `since` and `cursor` too: of a page 50, of a stream none. */
                tail?: number;
                /** @description Goes on after it: the `cursor` of a page, or an `id`. `Last-Event-ID` goes before it. */
                cursor?: string;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page; with `Accept: text/event-stream` a stream: `line` and `execution` with `data` as in a page's items, `dropped` with how many records and lines this node had to drop, and a comment at least every 15 seconds. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FollowPage"];
                    "text/event-stream": string;
                };
            };
        };
    };
    deployments_pull: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunningManifest"];
                };
            };
        };
    };
    members_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberList"];
                };
            };
        };
    };
    members_put: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The person; of a member also by name. */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewMember"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Member"];
                };
            };
        };
    };
    members_delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The person; of a member also by name. */
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    deployments_plan: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ManifestToPlan"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentPlan"];
                };
            };
        };
    };
    queues_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["QueueList"];
                };
            };
        };
    };
    queues_send: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Its name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewQueueMessage"];
            };
        };
        responses: {
            /** @description Made. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SentMessage"];
                };
            };
        };
    };
    queues_purge: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Its name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PurgedQueue"];
                };
            };
        };
    };
    quota_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppQuota"];
                };
            };
        };
    };
    quota_replace: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewQuota"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppQuota"];
                };
            };
        };
    };
    quota_merge: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewQuota"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppQuota"];
                };
            };
        };
    };
    restrictions_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Restrictions"];
                };
            };
        };
    };
    restrictions_replace: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Restrictions"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Restrictions"];
                };
            };
        };
    };
    deployments_rollback: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Rollback"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentPlan"];
                };
            };
        };
    };
    secrets_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SecretList"];
                };
            };
        };
    };
    secrets_put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Its name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSecret"];
            };
        };
        responses: {
            /** @description It was there, and is changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Secret"];
                };
            };
            /** @description It is new. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Secret"];
                };
            };
        };
    };
    secrets_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Its name. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    splits_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Split"];
                };
            };
        };
    };
    splits_put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSplit"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Split"];
                };
            };
        };
    };
    splits_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    subscriber_tokens_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SubscriberTokenList"];
                };
            };
        };
    };
    subscriber_tokens_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSubscriberToken"];
            };
        };
        responses: {
            /** @description Made. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewSubscriberTokenMade"];
                };
            };
        };
    };
    subscriber_tokens_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The token. */
                token_id: components["schemas"]["SubscriberTokenId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    queues_topics: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TopicList"];
                };
            };
        };
    };
    topics_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the topic. */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
        };
    };
    topics_put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the topic. */
                topic: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTopic"];
            };
        };
        responses: {
            /** @description It was there, and is changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
            /** @description It is new. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Topic"];
                };
            };
        };
    };
    topics_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the topic. */
                topic: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    queues_publish: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description Name of the topic. */
                topic: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTopicMessage"];
            };
        };
        responses: {
            /** @description Made. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SentMessage"];
                };
            };
        };
    };
    triggers_list: {
        parameters: {
            query?: {
                /** @description Those of this kind. */
                kind?: "kv" | "docs" | "files" | "cron" | "pubsub" | "queue" | "email" | "dead_letter";
                /** @description Those of this script. */
                script_id?: string;
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TriggerList"];
                };
            };
        };
    };
    triggers_create_cron: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewCronTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_preview: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ScheduleToPreview"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PreviewedSchedule"];
                };
            };
        };
    };
    triggers_create_dead_letter: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewDeadLetterTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_create_docs: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewDocsTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_create_email: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewEmailTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_create_files: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewFilesTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_create_kv: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKvTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_create_pubsub: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPubsubTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_create_queue: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewQueueTrigger"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The trigger. */
                trigger_id: components["schemas"]["TriggerId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The trigger. */
                trigger_id: components["schemas"]["TriggerId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    triggers_update: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The trigger. */
                trigger_id: components["schemas"]["TriggerId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TriggerChange"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Trigger"];
                };
            };
        };
    };
    triggers_run: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description Id or slug of the app. */
                app: string;
                /** @description The trigger. */
                trigger_id: components["schemas"]["TriggerId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It will be done. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FiredSchedule"];
                };
            };
        };
    };
    usage_list: {
        parameters: {
            query?: {
                /** @description How long the periods are. */
                period?: "minute" | "hour" | "day";
                /** @description Periods from the one that this lies in; left out: the last hour, day or month. */
                from?: string;
                /** @description Periods that began before this; left out: now. */
                to?: string;
                /** @description What this script used. */
                script_id?: string;
                /** @description What each script used; left out: what they used together. */
                by?: "script";
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description Id or slug of the app. */
                app: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AppUsageList"];
                };
            };
        };
    };
    archive_import: {
        parameters: {
            query?: {
                /** @description The slug of the app that is made; left out: the one in the archive. */
                slug?: string;
                /** @description Its name; left out: the one in the archive. */
                name?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/zstd": string;
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportedApp"];
                };
            };
        };
    };
    audit_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEntryList"];
                };
            };
        };
    };
    sessions_login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Credentials"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Login"];
                };
            };
        };
    };
    sessions_logout: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    sessions_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
        };
    };
    sessions_change_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPassword"];
            };
        };
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    sessions_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
        };
    };
    sessions_end: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The login. */
                session_id: components["schemas"]["SessionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    node_status: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeStatus"];
                };
            };
        };
    };
    nodes_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeList"];
                };
            };
        };
    };
    routes_find: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RequestToMatch"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MatchedRequest"];
                };
            };
        };
    };
    scripts_list: {
        parameters: {
            query?: {
                /** @description Those of this app, by id or slug. */
                app?: string;
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScriptList"];
                };
            };
        };
    };
    scripts_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewScript"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Script"];
                };
            };
        };
    };
    scripts_check: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceToCheck"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CheckedSource"];
                };
            };
        };
    };
    scripts_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Script"];
                };
            };
        };
    };
    scripts_publish: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewScriptVersion"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Script"];
                };
            };
        };
    };
    scripts_delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    scripts_activate: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["VersionToActivate"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Script"];
                };
            };
        };
    };
    executions_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExecutionList"];
                };
            };
        };
    };
    executions_logs: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogEntryList"];
                };
            };
        };
    };
    routes_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RouteList"];
                };
            };
        };
    };
    routes_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewRoute"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Route"];
                };
            };
        };
    };
    routes_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
                /** @description The route. */
                route_id: components["schemas"]["RouteId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    test_calls_create: {
        parameters: {
            query?: never;
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTestCall"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TestCall"];
                };
            };
        };
    };
    scripts_used_by: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScriptUsers"];
                };
            };
        };
    };
    scripts_versions: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScriptVersionList"];
                };
            };
        };
    };
    scripts_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
                /** @description Number of the version, from 1. */
                number: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScriptVersion"];
                };
            };
        };
    };
    scripts_diff: {
        parameters: {
            query?: {
                /** @description The number of the one that it is held against; left out: the one that runs. */
                against?: number;
            };
            header?: never;
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
                /** @description Number of the version, from 1. */
                number: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VersionDifference"];
                };
            };
        };
    };
    users_list: {
        parameters: {
            query?: {
                /** @description The `cursor` of the page before; left out: the first page. */
                cursor?: string;
                /** @description How many items the page has at most. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
        };
    };
    users_create: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUser"];
            };
        };
        responses: {
            /** @description Made; `ETag` where the thing has one. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    users_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The person; of a member also by name. */
                user_id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    users_delete: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description The person; of a member also by name. */
                user_id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    users_update: {
        parameters: {
            query?: never;
            header?: {
                /** @description The `ETag` of the state that the write is meant for; `*` or none: whatever it is now. */
                "If-Match"?: components["parameters"]["IfMatch"];
            };
            path: {
                /** @description The person; of a member also by name. */
                user_id: components["schemas"]["UserId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description The thing as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
        };
    };
    execute_run: {
        parameters: {
            query?: {
                /** @description Whatever it is: the script sees it as `ctx.request.query`. */
                query?: {
                    [key: string]: string;
                };
            };
            header?: {
                /** @description Has the request done once only: the second one with the same key is given the answer of the first. The same key with another request is refused (422). */
                "Idempotency-Key"?: components["parameters"]["IdempotencyKey"];
            };
            path: {
                /** @description The script. */
                script_id: components["schemas"]["ScriptId"];
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "*/*": unknown;
            };
        };
        responses: {
            /** @description What the script answered. */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "*/*": unknown;
                };
            };
        };
    };
    executions_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description The execution. */
                execution_id: components["schemas"]["ExecutionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FollowedExecution"];
                };
            };
        };
    };
    limits_list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Limits"];
                };
            };
        };
    };
    openapi_serve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description This document. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": Record<string, never>;
                };
            };
        };
    };
    domains_ask: {
        parameters: {
            query?: {
                /** @description The name; it has to be given. */
                domain?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CertifiedName"];
                };
            };
        };
    };
    node_healthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    metrics_serve: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Everything that is measured here. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/openmetrics-text; version=1.0.0; charset=utf-8": string;
                };
            };
        };
    };
    node_version: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
                };
            };
        };
    };
}
