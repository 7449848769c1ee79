const NOTHING = "Es ist nichts zu tun.";
const AGAIN_LATER = "Warten Sie einige Sekunden; bleibt es so, gehen Sie und nehmen Sie erneut teil.";
const LINK_AGAIN = "Kopieren Sie den ganzen Link noch einmal, oder bitten Sie um einen neuen.";
const NETWORK = "Prüfen Sie die Netzverbindung; die Besprechung geht weiter, sobald der Server wieder da ist.";
const CHECK_LINK = "Prüfen Sie den Einladungslink.";
const ASK_OPERATOR = "Fragen Sie, wer den Server betreibt.";
const DEFECT = "Bitte melden Sie diesen Fehler.";
const OTHER_DEVICE = "Wählen Sie ein anderes Gerät.";
const COMPARE = "Vergleichen Sie den Raumcode laut.";

/** Was geschehen ist und was zu tun ist, nach den Codes von docs/errors.md. Die App sagt es englisch. */
export const failures: Readonly<Record<string, readonly [what: string, advice: string]>> = {
  "meeting.card.refused": [
    "Der Besprechungsserver hat Angaben gezeigt, die nicht zum Link gehören oder nicht gültig unterschrieben sind",
    "Nehmen Sie nicht teil; bitten Sie den Gastgeber auf anderem Weg um einen neuen Link.",
  ],
  "meeting.card.old": [
    "Der Besprechungsserver hat ältere Angaben gezeigt als zuvor",
    "Versuchen Sie es in einer Minute noch einmal; bleibt es so, bitten Sie den Gastgeber um einen neuen Link.",
  ],
  "meeting.card.expired": [
    "Der Besprechungsserver hat Angaben gezeigt, deren Zeit abgelaufen ist",
    "Prüfen Sie die Uhr dieses Computers; sonst ist der Gastgeber vielleicht nicht mehr da.",
  ],
  "meeting.join.welcome_refused": [
    "Ein Einlass wurde abgelehnt, weil er nicht in den Raum des Links führt",
    "Vielleicht ist der Besprechungsserver unehrlich; fragen Sie den Gastgeber.",
  ],
  "meeting.join.unconfirmed": [
    "Niemand, der einlassen darf, hat bestätigt, dass Sie in der Besprechung sind",
    "Vielleicht hat der Besprechungsserver einen Raum erfunden; fragen Sie den Gastgeber.",
  ],
  "meeting.knock.refused": ["Eine Bitte um Einlass war fehlerhaft oder ohne gültigen Link und wurde verworfen", NOTHING],
  "meeting.knock.stale": [
    "Eine Bitte um Einlass war wiederholt oder zu alt und wurde verworfen",
    "Wenn jemand nicht hereinkommt: Uhr prüfen und noch einmal um Einlass bitten.",
  ],
  "meeting.knock.flood": [
    "Mehr Personen bitten um Einlass, als warten können; die übrigen wurden verworfen",
    "Machen Sie einen neuen Link, wenn der jetzige verbreitet wurde.",
  ],
  "meeting.log.gap": [
    "Der Besprechungsserver hat einen Teil des Verlaufs ausgelassen",
    "Incamera fragt noch einmal; bleibt es so, beenden Sie die Besprechung.",
  ],
  "meeting.log.replay": ["Der Besprechungsserver hat einen Teil des Verlaufs doppelt geschickt", NOTHING],
  "meeting.message.refused": [
    "Eine Mitteilung einer Person war nicht lesbar",
    "Wiederholt es sich, bitten Sie diese Person, Incamera zu aktualisieren.",
  ],
  "meeting.message.replayed": ["Eine Mitteilung einer Person wurde wiederholt und übergangen", NOTHING],
  "meeting.commit.refused": [
    "Eine Änderung der Gruppe wurde abgelehnt, weil sie nicht erlaubt oder nicht gültig war",
    "Wiederholt es sich, entfernen Sie die Person, von der sie kam.",
  ],
  "meeting.commit.withheld": [
    "Es kommen Mitteilungen mit Schlüsseln an, die dieser Computer nicht bekommen hat: Eine Änderung der Gruppe wird zurückgehalten",
    AGAIN_LATER,
  ],
  "meeting.commit.unfollowed": [
    "Eine Person konnte einer Änderung der Gruppe nicht folgen und bittet, neu aufgenommen zu werden",
    "Wiederholt es sich, entfernen Sie eine der beiden Personen.",
  ],
  "meeting.keys.lost": [
    "Dieser Computer konnte einer Änderung der Gruppe nicht folgen und bittet, neu aufgenommen zu werden",
    "Warten Sie einige Sekunden.",
  ],
  "meeting.removal.failed": [
    "Eine Person sollte entfernt werden, aber es gelang nicht",
    "Versuchen Sie es noch einmal; bleibt es so, beenden Sie die Besprechung und beginnen eine neue.",
  ],
  "meeting.rules.failed": ["Eine Änderung der Regeln gelang nicht", "Sehen Sie die Regeln an und ändern Sie sie noch einmal."],
  "meeting.fork.log": [
    "Der Besprechungsserver zeigt nicht allen denselben Verlauf",
    "Trauen Sie diesem Server nicht; vergleichen Sie den Raumcode und treffen Sie sich woanders.",
  ],
  "meeting.fork.uncompared": [
    "Seit zehn Sekunden ließ sich der Verlauf nicht mit dem einer anderen Person vergleichen",
    "Vielleicht verbirgt der Besprechungsserver, dass er verschiedene zeigt; vergleichen Sie den Raumcode.",
  ],
  "meeting.fork.state": ["Eine Person sieht eine andere Liste der Personen oder andere Regeln", COMPARE],
  "meeting.fork.authenticator": ["Eine Person hat andere Schlüssel der Gruppe", COMPARE],
  "meeting.partition.suspected": [
    "Mehrere Personen verstummten zugleich, andere sind zu hören: Die Besprechung ist vielleicht geteilt",
    "Fragen Sie auf anderem Weg, ob sie noch dabei sind.",
  ],
  "meeting.partition.media": ["Ton und Bild kommen mit Schlüsseln an, die dieser Computer nicht kennt", AGAIN_LATER],
  "meeting.view.unconfirmed": [
    "Niemand, der einlassen darf, bestätigt, was dieser Computer von der Besprechung sieht",
    "Am Ende der Frist werden Ton und Bild angehalten; prüfen Sie die Verbindung.",
  ],
  "meeting.key.missing": [
    "Ton und Bild einer Person lassen sich nicht öffnen",
    "Incamera holt von selbst neue Schlüssel; hilft das nicht, bitten Sie die Person um neuen Beitritt.",
  ],
  "meeting.repair.asked": [
    "Eine Person kann Ihren Ton und Ihr Bild nicht öffnen; dieser Computer bittet deshalb, neu aufgenommen zu werden",
    "Es ist nichts zu tun; wiederholt es sich, sollte der Gastgeber diese Person entfernen.",
  ],
  "meeting.media.forged": [
    "Ton oder Bild, angeblich von einer Person, hat die Prüfung nicht bestanden",
    "Vergleichen Sie den Raumcode; geht es weiter, entfernen Sie die Person.",
  ],
  "meeting.media.refused": [
    "Eine Person hat gesendet, was die Regeln ihr nicht erlauben",
    "Nichts davon wird gezeigt; geht es weiter, entfernen Sie die Person.",
  ],
  "meeting.relay.refused": [
    "Der Besprechungsserver hat eine Anfrage abgelehnt",
    "Incamera macht weiter; wiederholt es sich, fragen Sie, wer den Server betreibt.",
  ],
  "meeting.relay.malformed": [
    "Der Besprechungsserver hat etwas geschickt, das hier keinen Sinn ergibt",
    "Es ist nichts zu tun; wiederholt es sich, nehmen Sie einen anderen Server.",
  ],
  "meeting.relay.restarted": [
    "Der Besprechungsserver hat den Raum vergessen",
    "Der Raum wird neu gegründet, wo das möglich ist.",
  ],
  "meeting.ticket.refused": [
    "Der Besprechungsserver gab keine Karte für den Medienserver",
    "Incamera versucht es noch einmal; sonst fragen Sie, wer den Server betreibt.",
  ],
  "meeting.clock.wrong": [
    "Die Uhr einer Person oder dieses Computers geht um mehr als eine Minute falsch",
    "Lassen Sie die Uhr dieses Computers automatisch stellen.",
  ],
  "meeting.begin.group": ["Die Schlüssel der Besprechung konnten nicht erzeugt werden", "Versuchen Sie es noch einmal."],
  "meeting.begin.internal": ["Eine Mitteilung konnte nicht geschrieben werden", "Versuchen Sie es noch einmal."],
  "meeting.begin.name": [
    "Dieser Name ist leer, zu lang oder hat Zeichen, die sich nicht zeigen lassen",
    "Wählen Sie einen anderen Namen.",
  ],
  "meeting.begin.rules": ["Diese Regeln sind nicht möglich", "Wählen Sie andere Werte."],
  "meeting.chat.busy": ["Frühere Nachrichten werden noch gesendet", "Versuchen Sie es gleich noch einmal."],
  "meeting.chat.length": ["Diese Nachricht ist zu lang", "Senden Sie einen kürzeren Text."],
  "meeting.command.group": ["Die Schlüssel der Besprechung konnten nicht erzeugt werden", "Versuchen Sie es gleich noch einmal."],
  "meeting.command.last_host": [
    "Sie sind der einzige Gastgeber",
    "Beenden Sie die Besprechung für alle, oder machen Sie zuvor jemand anderen zum Gastgeber.",
  ],
  "meeting.command.no_such_knock": ["Diese Person wartet nicht mehr", NOTHING],
  "meeting.command.no_such_member": ["Diese Person ist nicht mehr in der Besprechung", NOTHING],
  "meeting.command.not_allowed": ["Die Regeln dieser Besprechung erlauben Ihnen das nicht", "Fragen Sie einen Gastgeber."],
  "meeting.command.not_in_meeting": ["Sie sind gerade nicht in der Besprechung", "Warten Sie, bis Sie wieder darin sind."],
  "meeting.command.rules": ["Diese Regeln sind nicht möglich", "Wählen Sie andere Werte."],
  "meeting.command.streams": ["So viel kann nicht auf einmal gesendet werden", "Senden Sie weniger oder kleinere Bilder."],
  "meeting.command.yourself": ["Sie können sich nicht selbst entfernen", "Verlassen Sie stattdessen die Besprechung."],

  "client.media.ended": [
    "Der Teil von Incamera für Ton und Bild ist ausgefallen",
    "Nehmen Sie erneut teil, und melden Sie bitte diesen Fehler.",
  ],
  "client.output.failed": [
    "Was ankommt, kann nicht aufbewahrt werden",
    "Schaffen Sie Platz, oder wählen Sie einen anderen Ordner.",
  ],
  "client.relay.lost": [
    "Die Verbindung zum Besprechungsserver ist endgültig verloren: Sein Zertifikat ist nicht mehr das der Einladung",
    "Vielleicht steht jemand dazwischen. Bitten Sie den Gastgeber um eine neue Einladung.",
  ],
  "client.relay.unreachable": [
    "Der Besprechungsserver ist nicht erreichbar",
    "Prüfen Sie das Netz und den Link, oder versuchen Sie es später.",
  ],
  "client.screen.taken": [
    "Jemand anders teilt gerade einen Bildschirm, und nur einer wird gezeigt",
    "Bitten Sie darum, damit aufzuhören, und teilen Sie dann Ihren.",
  ],
  "client.stream.missing": [
    "Von dem, was eine Person sendet, kommt hier nichts an",
    "Warten Sie einige Sekunden; bleibt es so, nehmen Sie einen anderen Medienserver.",
  ],
  "client.stream.not_carried": [
    "Eine Person ist weder zu hören noch zu sehen: Mehr senden, als zugleich empfangen werden",
    "Nehmen Sie einen Medienserver mit Plätzen, etwa den eingebauten.",
  ],
  "client.thread": ["Das System lässt keine weiteren Abläufe zu", "Schließen Sie andere Programme und versuchen Sie es noch einmal."],

  "device.audio_system": ["Das Tonsystem hat versagt", OTHER_DEVICE],
  "device.busy": ["Ein anderes Programm benutzt das Gerät", "Schließen Sie das andere Programm."],
  "device.denied": ["Das System erlaubt den Zugriff auf das Gerät nicht", "Erlauben Sie ihn in den Einstellungen des Systems."],
  "device.display": ["Die Anzeige (X11) hat versagt", OTHER_DEVICE],
  "device.lost": [
    "Das Gerät wurde getrennt oder antwortet nicht mehr",
    "Schließen Sie es wieder an, oder wählen Sie ein anderes.",
  ],
  "device.missing": ["Das Gerät ist nicht da", "Schließen Sie es an, oder wählen Sie ein anderes."],
  "device.no_audio_system": [
    "Auf diesem Computer ist kein Tonsystem erreichbar",
    "Starten Sie PipeWire oder PulseAudio, oder nehmen Sie ohne Ton teil.",
  ],
  "device.no_display": [
    "Keine Anzeige (X11) ist erreichbar, also gibt es keinen Bildschirm zu teilen",
    "Teilen Sie aus einer Sitzung von X11; eine von Wayland lässt sich noch nicht teilen.",
  ],
  "device.no_video_system": [
    "PipeWire, über das Kameras erreicht werden, antwortet auf diesem Computer nicht",
    "Starten Sie PipeWire und seine Sitzungsverwaltung, oder nehmen Sie ohne Kamera teil.",
  ],
  "device.thread": [
    "Das Gerät konnte nicht bedient werden",
    "Schließen Sie andere Programme und versuchen Sie es noch einmal.",
  ],
  "device.unsupported": ["Das Gerät bietet kein brauchbares Format", OTHER_DEVICE],
  "device.video_system": ["PipeWire hat versagt", OTHER_DEVICE],

  "settings.file.unusable": [
    "Die Datei der Einstellungen ist nicht lesbar und lässt sich nicht zur Seite legen",
    "Bewegen Sie die Datei selbst; was darin steht, ist noch da.",
  ],
  "settings.file.unwritable": [
    "Die Einstellungen können nicht gespeichert werden",
    "Prüfen Sie, ob auf der Festplatte Platz ist und der Ordner Ihnen gehört.",
  ],
  "settings.folder.missing": [
    "Dieses Benutzerkonto hat keinen Ordner für Einstellungen",
    "Setzen Sie HOME auf einen Ordner, der Ihnen gehört.",
  ],
  "settings.format": ["Die Einstellungen lassen sich nicht aufschreiben", DEFECT],
  "settings.server.key": [
    "Der Schlüssel des Besprechungsservers hat nicht 64 hexadezimale Ziffern",
    "Fragen Sie, wer den Server betreibt, nach dem SHA-256 seines öffentlichen Schlüssels.",
  ],

  "invite.encoding": ["Dieser Link ist beschädigt: Der Teil nach # hat Zeichen, die nicht dorthin gehören", LINK_AGAIN],
  "invite.length": ["Dieser Link ist beschädigt: Ein Teil fehlt oder ist zu viel", LINK_AGAIN],
  "invite.no_payload": ["Dieser Link ist unvollständig: Der Teil nach # fehlt", LINK_AGAIN],
  "invite.relay": ["Die Adresse des Besprechungsservers ist nicht lesbar", "Prüfen Sie die Adresse oder den ganzen Link."],
  "invite.scheme": ["Das ist kein Link von Incamera: Er beginnt nicht mit incamera:// oder https://", LINK_AGAIN],
  "invite.too_long": ["Dieser Link ist zu lang für einen Link von Incamera", LINK_AGAIN],
  "invite.version": [
    "Dieser Link kommt von einer anderen Version von Incamera",
    "Aktualisieren Sie Incamera und öffnen Sie den Link noch einmal.",
  ],

  "transport.relay.address": ["Die Adresse des Besprechungsservers ist nicht brauchbar", CHECK_LINK],
  "transport.relay.certificate": [
    "Das Zertifikat des Besprechungsservers ist weder das der Einladung noch eines, dem dieser Computer traut",
    "Vielleicht steht jemand dazwischen. Bitten Sie den Gastgeber um eine neue Einladung.",
  ],
  "transport.relay.cleartext": [
    "Die Adresse des Besprechungsservers ist unverschlüsselt (ohne TLS) und nicht auf diesem Computer",
    CHECK_LINK,
  ],
  "transport.relay.closed": ["Die Verbindung zum Besprechungsserver wurde geschlossen", "Nehmen Sie erneut teil."],
  "transport.relay.closed_by_relay": [
    "Der Besprechungsserver hat die Verbindung beendet",
    "Sie wird neu versucht; bleibt es so, fragen Sie, wer den Server betreibt.",
  ],
  "transport.relay.not_a_relay": [
    "Was unter der Adresse antwortet, ist kein Besprechungsserver von Incamera",
    "Prüfen Sie den Einladungslink, oder fragen Sie den Gastgeber, ob der Server läuft.",
  ],
  "transport.relay.not_connected": ["Zum Besprechungsserver besteht gerade keine Verbindung", NETWORK],
  "transport.relay.protocol": [
    "Der Besprechungsserver hat etwas Unerlaubtes geschickt",
    "Es wird neu versucht; bleibt es so, fragen Sie, wer den Server betreibt.",
  ],
  "transport.relay.queue_full": ["Zu viel wartet darauf, zum Besprechungsserver zu gelangen", NETWORK],
  "transport.relay.silent": ["Der Besprechungsserver ist verstummt", NETWORK],
  "transport.relay.unreachable": ["Der Besprechungsserver antwortet nicht", NETWORK],
  "transport.sfu.address": ["Die Adresse des Medienservers ist nicht brauchbar", ASK_OPERATOR],
  "transport.sfu.busy": ["Der Medienserver nimmt gerade keine Verbindungen mehr an", "Warten Sie einen Moment."],
  "transport.sfu.certificate": [
    "Das Zertifikat des Medienservers wurde abgelehnt",
    "Machen Sie nicht weiter, wenn Sie ein gültiges erwarten; fragen Sie, wer den Server betreibt.",
  ],
  "transport.sfu.cleartext": [
    "Die Adresse des Medienservers ist unverschlüsselt (ohne TLS) und weder auf diesem Computer noch in einem privaten Netz",
    ASK_OPERATOR,
  ],
  "transport.sfu.closed": ["Die Verbindung zum Medienserver wurde geschlossen", "Nehmen Sie erneut teil."],
  "transport.sfu.codecs": ["Der Medienserver nimmt weder VP8 noch Opus an", ASK_OPERATOR],
  "transport.sfu.local": ["Die Verbindung für Ton und Bild ließ sich nicht einrichten", DEFECT],
  "transport.sfu.no_media_path": [
    "Der Medienserver ist erreichbar, aber Ton und Bild kommen nicht durch",
    "Vielleicht sperrt eine Firewall UDP; versuchen Sie ein anderes Netz, oder fragen Sie nach einem TURN-Server.",
  ],
  "transport.sfu.no_pictures": [
    "Der Medienserver nimmt kein VP8 an: Niemand sieht die Bilder, die von hier kommen",
    "Nehmen Sie einen Medienserver, der VP8 und Opus annimmt.",
  ],
  "transport.sfu.no_sound": [
    "Der Medienserver nimmt kein Opus an: Niemand hört, was hier gesprochen wird",
    "Nehmen Sie einen Medienserver, der VP8 und Opus annimmt.",
  ],
  "transport.sfu.plan": ["Was gesendet werden soll, widerspricht sich", DEFECT],
  "transport.sfu.protocol": ["Die Antwort des Medienservers war nicht zu verstehen", ASK_OPERATOR],
  "transport.sfu.refused": ["Der Medienserver hat abgelehnt", ASK_OPERATOR],
  "transport.sfu.ticket": [
    "Der Medienserver hat die Karte abgelehnt",
    "Eine neue wird von selbst geholt; bleibt es so, gehen Sie und nehmen Sie erneut teil.",
  ],
  "transport.sfu.too_many_pictures": [
    "Mehr Bilder werden über diesen Medienserver nicht zugleich empfangen; von den Letzten kommt nur der Ton",
    "Es ist nichts falsch; wählen Sie, wessen Bilder zu sehen sind.",
  ],
  "transport.sfu.too_many_streams": [
    "Mehr Personen sind über diesen Medienserver nicht zugleich zu hören und zu sehen; die Letzten sind es nicht",
    "Nehmen Sie einen Medienserver mit Plätzen, etwa den eingebauten.",
  ],
  "transport.sfu.unreachable": ["Der Medienserver antwortet nicht", NETWORK],
};
