import SwiftUI

@main
struct DEIMv2App: App {
  @State private var model = DetectorModel()

  var body: some Scene {
    WindowGroup {
      RootView()
        .environment(model)
        .task(id: model.choice) { await model.open() }
    }
  }
}

struct RootView: View {
  @Environment(DetectorModel.self) private var model

  var body: some View {
    @Bindable var model = model
    TabView {
      LiveView().tabItem { Label("Camera", systemImage: "camera") }
      PhotoView().tabItem { Label("Photo", systemImage: "photo") }
      VideoView().tabItem { Label("Video", systemImage: "video") }
      CheckView().tabItem { Label("Check this phone", systemImage: "checkmark.seal") }
      SettingsView().tabItem { Label("Settings", systemImage: "gearshape") }
    }
    .alert("Something went wrong", isPresented: $model.showsProblem) {
      Button("OK") {}
    } message: {
      Text(model.problem)
    }
  }
}
