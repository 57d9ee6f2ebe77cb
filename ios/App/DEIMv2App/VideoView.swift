import DEIMv2Kit
import PhotosUI
import SwiftUI

/// A video of the user's library: all of its frames in turn, with their detections, objects followed.
struct VideoView: View {
  @Environment(DetectorModel.self) private var model
  @State private var item: PhotosPickerItem?  // nil once it is done or stopped
  @State private var seen: Seen?
  @State private var saves = false
  @State private var saved: SharedVideo?
  @State private var isInPhotos = false

  private struct Seen {
    let moment: Video.Moment
    let found: [DetectionsView.Named]
    let framesPerSecond: Double
  }

  var body: some View {
    NavigationStack {
      VStack {
        if let seen {
          DetectionsView(image: seen.moment.shot.image, found: seen.found)
          ProgressView(value: seen.moment.share)
          Text(readOut(seen)).font(.footnote.monospacedDigit())
          ThresholdSlider()
        } else if let reason = model.failure {
          NoModelView(reason: reason)
        } else if item != nil {
          ProgressView("Loading the video")
        } else {
          ContentUnavailableView(
            "No video yet", systemImage: "video",
            description: Text("Choose one with the button above."))
        }
        if item != nil {
          if saves { Text("Saving. Stopping saves nothing.").font(.footnote) }
          Button("Stop") { item = nil }
        } else {  // not in the middle of a video: half of one is not saved
          if let saved { keeping(saved) }
          Toggle("Save the next video with its boxes, without sound", isOn: $saves).padding()
        }
      }
      .navigationTitle("Video")
      .toolbar {
        ToolbarItem(placement: .topBarTrailing) {
          PhotosPicker(selection: $item, matching: .videos) {
            Label("Choose a video", systemImage: "video.badge.plus")
          }
        }
      }
      .task(id: [AnyHashable(item), AnyHashable(model.openings)]) {
        await keepingAwake { await watch() }
      }
    }
  }

  @ViewBuilder private func keeping(_ video: SharedVideo) -> some View {
    Text("The video with its boxes is ready, without sound.").font(.footnote)
    HStack {
      Button(isInPhotos ? "Saved to Photos" : "Save to Photos") { keep(video) }
        .disabled(isInPhotos)
      ShareLink(item: video, preview: SharePreview("Detections")) {
        Label("Share the video", systemImage: "square.and.arrow.up")
      }
    }
  }

  private func keep(_ video: SharedVideo) {
    Task {
      do {
        isInPhotos = true  // not twice
        try await video.keep()
      } catch {
        isInPhotos = false
        model.show(error)
      }
    }
  }

  private func readOut(_ seen: Seen) -> String {
    let share = seen.moment.share.formatted(.percent.precision(.fractionLength(0)))
    let rate = seen.framesPerSecond.formatted(.number.precision(.fractionLength(0)))
    return "\(share), \(rate) frames/s, \(model.detector?.processor ?? "")"
  }

  private func watch() async {
    guard let item, let detector = model.detector else { return }
    seen = nil
    saved = nil
    isInPhotos = false
    do {
      guard let movie = try await item.loadTransferable(type: Movie.self) else {
        throw DEIMv2Error.image(reason: "the library gives no video")
      }
      defer { try? FileManager.default.removeItem(at: movie.file) }
      try await watch(Video(movie.file, for: detector.manifest), detector)
    } catch {
      if !Task.isCancelled { model.show(error) }
    }
    if !Task.isCancelled { self.item = nil }  // else stopped, or with another item or model
  }

  private func watch(_ video: Video, _ detector: any Detector) async throws {
    var (rate, tracker) = (FrameRate(), Tracker())
    let saves = saves
    var writer: VideoWriter?
    defer { writer?.cancel() }
    while let moment = try await video.next() {
      let detections = try await detector.detect(moment.shot.frame)
      try Task.checkCancellation()
      let ids = tracker.update(detections, threshold: model.threshold)
      let found = try DetectionsView.named(detections, ids: ids, by: detector.manifest)
      if saves {
        let boxed = DetectionsView(image: moment.shot.image, found: found)
        let begun = try writer ?? VideoWriter(moment)
        writer = begun
        try await begun.append(boxed, at: moment.time)
      }
      seen = Seen(moment: moment, found: found, framesPerSecond: rate.count(.now))
      if ProcessInfo.processInfo.isHot { try await Task.sleep(for: .milliseconds(200)) }
    }
    try Task.checkCancellation()
    if seen == nil { throw DEIMv2Error.image(reason: "a video without pictures") }
    if let writer { saved = SharedVideo(file: try await writer.finish()) }
  }
}
